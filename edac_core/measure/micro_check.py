"""Load a model from standard input in TFLite Micro, and write what it takes to standard error.

It is run in a process of its own: the library writes past Python, and may end the process. It
imports nothing else of this package.
"""

import importlib
import sys


def main() -> None:
    """Load the model into an arena of so many bytes as the first argument says."""
    model = sys.stdin.buffer.read()
    # It is no requirement: there are no wheels of it for every system.
    runtime = importlib.import_module("tflite_micro").runtime
    runtime.Interpreter.from_bytes(model, arena_size=int(sys.argv[1])).print_allocations()


if __name__ == "__main__":
    main()
