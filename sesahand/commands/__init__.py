"""The commands of `sesahand`, a file each: `HELP`, `add_arguments(parser)`, and `run(options)` returning a status."""
