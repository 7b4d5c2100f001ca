"""The doors: what comes from strangers, and what goes to disk.

Workflows, picture folders, sets of pairs and training folders are passed from hand to hand. Each danger in them has one
place that knows it, and nothing else in the pack goes around that place (tests/unit/test_repository.py):

- `folders`: paths inside a folder, found, deleted and renamed without following links.
- `reading`: regular files alone, bounded; JSON, and JSON lines whose last may be torn.
- `writing`: whole files or none, names that nobody else has, appending.
- `pictures`: every picture that Pillow opens, of the formats listed there and of a bounded size.
- `arrays`: numpy's files, mapped or read, without what could be code.
- `model_folders`: what a folder must be before transformers or diffusers reads it, and what must have come out of it.
- `panics`: failures of libraries in Rust, which nothing else would catch.
"""
