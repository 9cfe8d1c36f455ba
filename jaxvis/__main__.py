"""`python -m jaxvis` is the command `jaxvis`."""

import sys

from jaxvis.cli import main

sys.exit(main())
