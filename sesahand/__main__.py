"""`python -m sesahand`: the same as the command `sesahand`."""

import sys

from .cli import main

sys.exit(main())
