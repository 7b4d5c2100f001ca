"""The commands of `python -m sesahand`: one module each, with `add_arguments(parser)` and `run(args) -> int`."""
