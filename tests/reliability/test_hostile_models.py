"""Model files that are damaged or made up: a sentence, and whoever asked lives on."""

import ast
import io
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hostile import assert_one_sentence, of_bytes, score_of

from edac_core import locations
from edac_core.apart import Workers
from edac_core.errors import ApartError, AudioError, EdacError, ModelError
from edac_core.listening import hear
from edac_core.measure.anatomy import dissect
from edac_core.measure.footprint import footprint
from edac_core.measure.operators import time_operators
from edac_core.studies.store import Store

PROJECT = locations.PROJECT
PRODUCT = [*(PROJECT / "edac_core").rglob("*.py"), *(PROJECT / "dashboard").rglob("*.py"),
           *(PROJECT / "pages").glob("*.py"), PROJECT / "app.py"]  # fmt: skip
READERS = (score_of, dissect, footprint, time_operators)
LARGEST_CODE = 2**31 - 1
# Where its place is in the table of an operator's code.
BUILTIN_CODE = 10
# Modules that import LiteRT or read its flat buffers, and may not be imported by who serves pages.
LITERT = ("ai_edge_litert", "flatbuffers")


@pytest.fixture(scope="module")
def workers():
    workers = Workers(processes=1)
    yield workers
    workers.close()


@pytest.fixture(scope="module")
def model():
    store = Store(locations.SHIPPED, readonly=True)
    files = store.variants("cnn").query("has_model and precision == 'int8'")
    return store.model(files["sha256"].iloc[0])


def with_operator(model, *, code):
    """Write another code over that of the first operator, which stands in the file as it is."""
    first = schema.Model.GetRootAs(model).OperatorCodes(0)._tab
    place = first.Pos + first.Offset(BUILTIN_CODE)
    assert first.Offset(BUILTIN_CODE)
    return model[:place] + struct.pack("<i", code) + model[place + 4 :]


def refuses(workers, reader, data):
    with pytest.raises(EdacError) as caught:
        workers.call(reader, data, seconds=60, subject="The file")
    assert_one_sentence(caught.value)
    assert workers.call(abs, -1, seconds=20) == 1
    return caught.value


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_whole_file_is_read(workers, model, reader):
    assert workers.call(reader, model, seconds=60)


def test_a_file_cut_off_anywhere_is_a_model_error(workers, model):
    for end in np.linspace(0, len(model) - 1, 20).astype(int):
        assert isinstance(refuses(workers, score_of, model[:end]), ModelError)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_after_the_magic_are_a_model_error(workers, model, reader, seed):
    data = model[:8] + of_bytes(9_000, seed=seed)
    assert isinstance(refuses(workers, reader, data), ModelError)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("code", [126, 9_999, LARGEST_CODE])
def test_an_unknown_or_wrong_operator_is_a_sentence(workers, model, reader, code):
    error = refuses(workers, reader, with_operator(model, code=code))
    assert isinstance(error, ModelError | ApartError)


def test_a_model_that_kills_its_process_is_a_sentence_for_the_command_line(tmp_path):
    """Whatever LiteRT does to the process that loads a file: here it is ended by a signal."""
    code = (
        "import os, sys\n"
        "from edac_core import apart, cli\n"
        "ask = apart._Worker.ask\n"
        "def die(self, message, **options):\n"
        "    return ask(self, (os.kill, (self._process.pid, 11)), **options)\n"
        "apart._Worker.ask = die\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    done = run_export(code, tmp_path / "x.zip", cache=tmp_path / "cache")
    assert done.returncode == 2
    assert done.stderr.startswith("edac: The bundle of cnn ended the process that worked on it")
    assert not (tmp_path / "x.zip").exists()


def test_the_command_line_loads_no_model_itself(tmp_path):
    code = (
        "import sys\n"
        "from edac_core import cli\n"
        "status = cli.main(sys.argv[1:])\n"
        f"print([name for name in {LITERT!r} if name in sys.modules])\n"
        "sys.exit(status)\n"
    )
    done = run_export(code, tmp_path / "x.zip", cache=tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "x.zip").stat().st_size > 100_000


def run_export(code, target, *, cache):
    arguments = ["export", "cnn", "--sparsity", "0.95", "--precision", "int8", "--split-seed", "1",
                 "--output", target, "--cache", cache]  # fmt: skip
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=PROJECT,
                          capture_output=True, text=True, check=False)  # fmt: skip


def calls_of(path):
    """Yield the dotted names that a module calls, and the keywords given to each."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in
                                           node.keywords}  # fmt: skip


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(PROJECT)))
def test_nothing_is_unpickled_and_no_keras_file_is_loaded(path):
    forbidden = {"load_model", "load_weights", "loads_pickle", "read_pickle", "from_pickle"}
    for name, keywords in calls_of(path):
        module, _, function = name.rpartition(".")
        assert function not in forbidden, name
        assert module.rpartition(".")[2] not in {"pickle", "dill", "joblib", "marshal", "h5py",
                                                 "torch", "yaml", "shelve"}, name  # fmt: skip
        assert keywords.get("allow_pickle", "False") == "False", name


class Bomb:
    """Writes a file if it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.pkl", "model.npy"])
def test_what_hides_in_a_recording_is_not_run(tmp_path, name):
    bomb = Bomb(tmp_path / "exploded")
    file = io.BytesIO()
    np.save(file, np.array([bomb], object))
    data = {
        "model.h5": b"\x89HDF\r\n\x1a\n" + bytes(999),
        "model.keras": b"PK\3\4" + bytes(999),
        "model.pkl": pickle.dumps(bomb),
        "model.npy": file.getvalue(),
    }[name]
    with pytest.raises(AudioError, match="cannot be decoded as audio"):
        hear(data, name)
    assert not bomb.path.exists()
