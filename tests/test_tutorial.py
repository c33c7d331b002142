"""Every command of the tutorial is run as it stands there, and does what the page says."""

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
    folder = tmp_path_factory.mktemp("tutorial")
    for name in (".venv", "docs"):
        (folder / name).symlink_to(PROJECT / name)
    (folder / "mine.toml").write_text(PLAN, "utf-8")
    return {command: run(command, folder) for command in COMMANDS}, folder


def of(said, word):
    (output,) = [output for command, output in said[0].items() if word in command]
    return output


@pytest.mark.nightly
@pytest.mark.skipif(
    not Path(PROJECT / ".venv").exists(), reason="the page's commands are for a folder with .venv"
)
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
