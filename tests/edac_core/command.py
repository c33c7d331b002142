"""The command line in a process of its own, as somebody types it."""

import subprocess
import sys


def edac(*arguments):
    """Run a command to its end, whatever that is; return its status and what it printed."""
    command = [sys.executable, "-m", "edac_core", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
