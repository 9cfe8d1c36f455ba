"""`python -m jaxvis` is the command `jaxvis`."""

import sys

from jaxvis.cli.main import main

sys.exit(main())
