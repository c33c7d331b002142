"""The documentation as a reader meets it: it builds, and its commands are commands."""

import contextlib
import re
import shlex

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from edac_core.cli import main, make_parser
from edac_core.locations import PROJECT, SHIPPED
from edac_core.studies.plan import load_plan
from edac_core.studies.store import Store

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
COMMANDS = {
    (page.relative_to(PROJECT).as_posix(), line.partition("  #")[0].strip())
    for page in PAGES
    for block in re.findall(r"```(?:sh|bash)\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if re.match(r"\s*(\.venv/bin/)?edac ", line)
}


def test_the_site_builds_without_a_warning(tmp_path):
    build(load_config(str(PROJECT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    for page in ("index", "tutorial", "reference/cli", "sizes"):
        assert list(tmp_path.glob(f"{page}.html")) or (tmp_path / page / "index.html").is_file()


@pytest.mark.parametrize(("page", "command"), sorted(COMMANDS))
def test_a_command_of_the_documentation_is_one(page, command):
    _, *words = shlex.split(command)
    options = make_parser().parse_args(words)
    assert options.command
    plan = getattr(options, "plan", None)
    if plan is not None and plan.parts[0] == "plans":
        load_plan(PROJECT / plan)


def test_there_are_commands():
    assert len(COMMANDS) > 15


def takes_what_is_shipped(words):
    """Say whether a command needs no more than what comes along."""
    if words[0] == "cache":
        return words[1] == "check"
    return words[0] == "status" or (words[0] in {"table", "export"} and words[1] in SHIPPED_STUDIES)


with contextlib.closing(Store(SHIPPED, readonly=True)) as store:
    SHIPPED_STUDIES = set(store.studies()["name"])
READY = sorted(
    {
        tuple(shlex.split(command)[1:])
        for _, command in COMMANDS
        if takes_what_is_shipped(shlex.split(command)[1:])
    }
)


@pytest.mark.parametrize("words", READY, ids=" ".join)
def test_a_command_that_takes_what_is_shipped_is_run(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--cache", str(tmp_path / "cache")]) == 0
    assert capsys.readouterr().out


def test_some_commands_are_run():
    assert {words[0] for words in READY} == {"status", "table", "export", "cache"}
