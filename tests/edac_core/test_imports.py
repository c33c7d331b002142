import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "edac_core"
TENSORFLOW = (
    "models/backend.py", "models/layers.py", "models/training.py", "compress", "studies/work.py",
)  # fmt: skip


def every_module():
    paths = sorted(PACKAGE.rglob("*.py"))
    return [path.relative_to(PACKAGE).as_posix() for path in paths if path.stem != "__main__"]


def modules_without_tensorflow():
    return [name for name in every_module() if not name.startswith(TENSORFLOW)]


@pytest.fixture(scope="module")
def imported():
    """What a fresh process has imported with the modules without TensorFlow, and then with all."""
    groups = [
        ["edac_core." + name.removesuffix(".py").replace("/", ".") for name in names]
        for names in (modules_without_tensorflow(), every_module())
    ]
    code = (
        "import importlib, json, sys\n"
        f"for names in {groups!r}:\n"
        "    for name in names: importlib.import_module(name.removesuffix('.__init__'))\n"
        "    print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = (set(json.loads(line)) for line in done.stdout.splitlines())
    return first, second


def test_only_training_and_compression_import_tensorflow(imported):
    assert not {"tensorflow", "tf_keras"} & imported[0]
    assert "tensorflow" in imported[1]


@pytest.mark.parametrize("name", TENSORFLOW)
def test_the_exceptions_are_needed(name):
    assert (PACKAGE / name).exists()


def test_the_core_imports_no_dashboard_library(imported):
    assert not {"streamlit", "plotly", "dashboard"} & imported[1]
