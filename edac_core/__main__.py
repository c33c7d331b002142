"""Run the command line as ``python -m edac_core``."""

import sys

from edac_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
