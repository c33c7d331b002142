"""What fuzzers found, reduced; and the fuzzers themselves, for a minute each by night."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import assert_one_sentence, encoded_as

from edac_core.errors import EdacError
from edac_core.locations import PROJECT
from edac_core.studies.plan import load_plan

FUZZING = Path(__file__).with_name("fuzzing.py")
SECONDS = 90
KINDS = ("wav", "flac", "mp3", "ogg", "webm", "m4a")
WORDS = ("name", "title", "[data]", "dataset", "options", "[training]", "models", "seeds",
         "[compression]", "methods", "recipes", "sparsities", "width:0.9", "float32")  # fmt: skip
CRASHERS = [
    b"a = " + b"9" * 4_301,
    b"a = " + b"[" * 1_000,
    b"a = " + b"{a=" * 1_000,
    b'name="t"\ntitle="t"\ndata={dataset="synthetic",options=3}\ntraining={models=["cnn"]}',
    b'name="t"\ntitle="t"\ndata={dataset="synthetic"}\ntraining={models=["\\u0000.py"]}',
    b'name="t"\ntitle="t"\ndata={dataset="synthetic",options={d=1979-05-27}}\n'
    b'training={models=["cnn"]}',
    b'name="t"\ntitle="t"\ndata={dataset="synthetic"}\ntraining={models=["cnn"]}\n'
    b"compression={sparsities=[1" + b"0" * 400 + b"]}",
]


@pytest.mark.parametrize("crasher", CRASHERS)
def test_a_plan_that_once_ended_in_a_traceback_is_a_sentence(tmp_path, crasher):
    (tmp_path / "plan.toml").write_bytes(crasher)
    with pytest.raises(EdacError) as caught:
        load_plan(tmp_path / "plan.toml")
    assert_one_sentence(caught.value)


def fuzz(target, corpus, *options):
    command = [sys.executable, FUZZING, target, f"-max_total_time={SECONDS}", "-timeout=30",
               "-rss_limit_mb=4096", *options, corpus]  # fmt: skip
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, cwd=corpus,
        timeout=5 * SECONDS,
        env={"PYTHONPATH": f"{PROJECT}:{':'.join(filter(None, sys.path))}", "PATH": ""},
    )  # fmt: skip


needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="Atheris is for Linux only"
)


@needs_atheris
@pytest.mark.nightly
def test_no_recording_that_a_fuzzer_makes_is_more_than_refused(tmp_path):
    for kind in KINDS:
        (tmp_path / kind).write_bytes(encoded_as(kind)[:20_000])
    done = fuzz("decoder", tmp_path, "-max_len=20000")
    assert done.returncode == 0, done.stderr[-5_000:]
    assert "Done" in done.stderr


@needs_atheris
@pytest.mark.nightly
def test_no_plan_that_a_fuzzer_makes_is_more_than_refused(tmp_path):
    for path in (PROJECT / "plans").glob("*.toml"):
        (tmp_path / path.stem).write_bytes(path.read_bytes())
    words = tmp_path.parent / "words.txt"
    words.write_text("".join(f'"{word}"\n' for word in WORDS), encoding="utf-8")
    done = fuzz("plan", tmp_path, "-max_len=4000", f"-dict={words}")
    assert done.returncode == 0, done.stderr[-5_000:]
    assert "Done" in done.stderr
