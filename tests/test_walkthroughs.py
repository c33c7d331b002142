"""The tutorial's and the README's commands are run as they stand there, and do what these say."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from edac_core.locations import PROJECT
from edac_core.studies.plan import parse_plan

PAGE = (PROJECT / "docs" / "tutorial.md").read_text("utf-8")
BLOCKS = re.findall(r"```(sh|toml)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.strip().splitlines()]
PLAN = next(text for kind, text in BLOCKS if kind == "toml")
README = (PROJECT / "README.md").read_text("utf-8")
QUICK = re.findall(r"^(\.venv/bin/edac \S+ .*quick.*?)(?:  +#.*)?$", README, re.MULTILINE)

needs_environment = pytest.mark.skipif(
    not Path(PROJECT / ".venv").exists(), reason="the commands are for a folder with .venv"
)


def run(command, folder):
    """Run a command of the page where a reader would: in the project's folder, or one like it."""
    environment = os.environ | {"EDAC_CACHE_DIR": str(folder / "cache"), "NO_COLOR": "1"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment,
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each command printed, by a word of it."""
    folder = like_the_projects(tmp_path_factory.mktemp("tutorial"))
    (folder / "mine.toml").write_text(PLAN, "utf-8")
    return {command: run(command, folder) for command in COMMANDS}, folder


def like_the_projects(folder):
    for name in (".venv", "docs", "plans"):
        (folder / name).symlink_to(PROJECT / name)
    return folder


def of(said, word):
    (output,) = [output for command, output in said[0].items() if word in command]
    return output


@pytest.mark.nightly
@needs_environment
def test_the_tutorial_does_what_it_says(said):
    assert "80" in of(said, "audit")
    assert "width-distilled" in of(said, "table")
    assert "OK: files, features and scores are as they were." in of(said, "check.py")
    assert re.search(r"cough-001.wav: 0\.\d{3}, (positive|negative)", of(said, "listen.py"))
    assert "Bit-equal" in of(said, "rerun")


def test_the_page_has_a_plan_that_is_taken():
    assert parse_plan(tomllib.loads(PLAN)).name == "mine"


def test_every_command_of_the_page_is_in_a_block_that_is_run():
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    inline = set(re.findall(r"`(\.venv/[^`]+|edac [^`]+)`", prose))
    assert inline == {".venv/bin/streamlit run app.py"}


@pytest.mark.nightly
@needs_environment
def test_the_readmes_study_does_what_it_says(tmp_path):
    folder = like_the_projects(tmp_path)
    printed = {command: run(command, folder) for command in QUICK}

    assert [command.split()[1] for command in QUICK] == [
        "run", "table", "table", "export", "export", "rerun", "search"
    ]  # fmt: skip
    assert "polynomial" in printed[QUICK[1]]
    assert (folder / "cough.tflite").read_bytes()[4:8] == b"TFL3"
    assert "check.py" in printed[QUICK[4]]
    assert "Bit-equal" in printed[QUICK[5]]
    assert "variants measured" in printed[QUICK[6]]
