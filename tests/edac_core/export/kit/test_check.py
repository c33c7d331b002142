"""check.py, run as somebody would who has LiteRT, NumPy and the bundle, and nothing else."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from edac_core.export.archive import npz

# Refuses whatever is neither Python's own nor one of the two, and tells what was imported.
GUARD = """
import runpy, sys
ALLOWED = {"numpy", "ai_edge_litert"}
class Guard:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ALLOWED:
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Guard())
before = set(sys.modules)
try:
    runpy.run_path(sys.argv[1], run_name="__main__")
finally:
    tops = {name.partition(".")[0] for name in set(sys.modules) - before}
    print("imported:", *sorted(tops - set(sys.stdlib_module_names)))
"""


def check(folder):
    """Run check.py in isolation, from elsewhere; return exit status and what it prints."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", GUARD, str(folder / "check.py")],
        capture_output=True, text=True, check=False, cwd=folder.parent, env={},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def sign(folder):
    """Write the digests anew, as somebody might who changed a file on purpose."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
             for path in folder.iterdir() if path.name != "SHA256SUMS"]  # fmt: skip
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_it_passes_with_litert_and_numpy_alone(folder):
    before = sorted(path.name for path in folder.iterdir())
    status, output = check(folder)
    assert (status, output.splitlines()) == (
        0,
        ["OK: files, features and scores are as they were.", "imported: ai_edge_litert numpy"],
    )
    assert sorted(path.name for path in folder.iterdir()) == before


def test_it_names_every_file_of_which_a_byte_changed_or_that_is_missing(folder):
    changed = {"model.tflite", "model.h", "golden.npz", "frontend.py", "frontend.json"}
    for name in changed:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
    (folder / "metrics.json").unlink()
    status, output = check(folder)
    assert status == 1
    assert {line for line in output.splitlines() if "imported" not in line} == {
        "metrics.json is missing: unpack the bundle again.",
        *(f"{name} is not the file that was exported: unpack the bundle again."
          for name in changed),
    }  # fmt: skip


@pytest.mark.parametrize("damage", [None, b"", b"\xff\xfe", b"no digests\n", b"  \n"])
def test_it_does_not_pass_without_digests(folder, damage):
    (folder / "SHA256SUMS").unlink()
    if damage is not None:
        (folder / "SHA256SUMS").write_bytes(damage)
    status, output = check(folder)
    assert status == 1
    assert output.startswith("SHA256SUMS is missing or damaged: unpack the bundle again.\n")


def golden(folder):
    with np.load(folder / "golden.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_it_finds_another_model_behind_true_digests(folder, other_weights):
    (folder / "model.tflite").write_bytes(other_weights((folder / "model.tflite").read_bytes()))
    sign(folder)
    status, output = check(folder)
    assert status == 1
    assert "Golden input 0 scores" in output


def test_it_finds_what_is_no_model_behind_true_digests(folder):
    (folder / "model.tflite").write_bytes(b"no model" * 100)
    sign(folder)
    status, output = check(folder)
    assert (status, "model.tflite cannot be loaded" in output) == (1, True)


def test_it_finds_another_score_behind_true_digests(folder):
    arrays = golden(folder)
    arrays["scores"][7] += 0.002
    (folder / "golden.npz").write_bytes(npz(arrays))
    sign(folder)
    status, output = check(folder)
    assert status == 1
    assert output.startswith("Golden input 7 scores")
    assert output.count("Golden input") == 1


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("frontend.py", "0.5 - 0.5 *", "0.54 - 0.46 *", "Features of golden input 0 differ by"),
        ("frontend.json", '"hop_length": 512', '"hop_length": 600',
         "Features of golden input 0 are (258, 15, 1), not (302, 15, 1)."),
    ],
)  # fmt: skip
def test_it_finds_another_front_end_behind_true_digests(folder, name, before, after, said):
    text = (folder / name).read_text()
    assert before in text
    (folder / name).write_text(text.replace(before, after))
    sign(folder)
    status, output = check(folder)
    assert (status, said in output) == (1, True)


@pytest.fixture
def other_weights():
    """Change a model's weights a little and leave its structure whole."""

    def _other_weights(model):
        content = np.frombuffer(model, np.uint8).copy()
        middle = slice(len(content) // 2, len(content) // 2 + 100_000)
        content[middle] ^= 0x20
        return content.tobytes()

    return _other_weights
