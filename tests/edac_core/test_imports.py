import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "edac_core"
TENSORFLOW = (
    "models/backend.py", "models/layers.py", "models/training.py", "compress", "studies/work.py",
)  # fmt: skip


def modules_without_tensorflow():
    paths = sorted(PACKAGE.rglob("*.py"))
    names = [path.relative_to(PACKAGE).as_posix() for path in paths]
    return [name for name in names if not name.startswith(TENSORFLOW) and name != "__main__.py"]


def imported_by(names, *suspects):
    """Import modules in a fresh process; return which of the suspects came along."""
    dotted = ["edac_core." + name.removesuffix(".py").replace("/", ".") for name in names]
    code = (
        "import importlib, sys\n"
        f"for name in {dotted!r}: importlib.import_module(name.removesuffix('.__init__'))\n"
        f"print([name for name in {suspects!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_only_training_and_compression_import_tensorflow():
    assert imported_by(modules_without_tensorflow(), "tensorflow", "tf_keras") == "[]"


@pytest.mark.parametrize("name", TENSORFLOW)
def test_the_exceptions_are_needed(name):
    assert (PACKAGE / name).exists()


def test_the_core_imports_no_dashboard_library():
    every = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")]
    every.remove("__main__.py")
    assert imported_by(sorted(every), "streamlit", "plotly", "dashboard") == "[]"
