"""Names of uploads: shown inert and short wherever they stand, and never a path."""

import html
import io
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from dashboard import format as write
from dashboard import frame
from dashboard.auditing.audit_tables import as_csv
from dashboard.player import encoded
from dashboard.studies import Study
from edac_core import locations
from edac_core.datasets.synthetic import synthesize

APP = Path(__file__).parents[2] / "app.py"
COUGH = encoded(synthesize(1, seed=1))
PARAGRAPH = "<p>", "</p>"
NAMES = [
    "../../x.wav",
    "a\0b.wav",
    "CON",
    "x" * 4_096 + ".wav",
    "\u202egpj.wav",
    "<script>alert(1)</script>.wav",
    "![](http://example.org/a.png).wav",
    "$\\frac{1}{2}$.wav",
    ":red[x] :material/home:.wav",
    "`rm -rf`.wav",
    "a\n\n# b.wav",
    "1. cough.wav",
    "- cough.wav",
    "    cough.wav",
    "&lt;b&gt;.wav",
    "[x]: http://example.org",
    "|a|b|",
    "~~x~~ __y__ **z**",
    "=cmd|' /C calc'!A0.wav",
]


def rendered(markdown):
    """Return what a reader sees of Markdown, which must be one paragraph of plain text."""
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown).strip()
    opening, closing = PARAGRAPH
    assert page.startswith(opening)
    assert page.endswith(closing)
    inside = page.removeprefix(opening).removesuffix(closing)
    assert "<" not in inside
    return html.unescape(inside)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_sentence_is_the_name_and_nothing_else(name):
    shown = write.file_name(name)
    assert rendered(write.literally(f"{shown} is an empty file.")) == f"{shown} is an empty file."
    assert len(shown) <= 40
    assert shown.isprintable()


@settings(deadline=None, derandomize=True)
@given(st.text(max_size=80))
@example("0 \x1b")
def test_any_text_is_shown_as_it_is(text):
    shown = write.file_name(text)
    assert rendered(write.literally(f"{shown} x")) == f"{shown} x"


def test_what_a_study_says_of_its_data_is_shown_as_it_is():
    hostile = "![x](http://example.org) <b>b</b> $y$"
    data = {"title": hostile, "recordings": 3, "licence": hostile, "notes": [hostile]}
    lines = frame._facts(Study(None, "x", "x", hostile, {}, data), "cnn")
    shown = [rendered(line.strip("*")) for line in lines if "example" in line]
    assert [line.count(hostile) for line in shown] == [1, 1, 1, 1]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_of_a_csv_is_no_formula(start):
    name = f"{start}cmd|' /C calc'!A0.wav"
    table = pd.DataFrame({"recording": [name, "a-b.wav"], "peak": [-1.5, 2.0]})
    read = pd.read_csv(io.BytesIO(as_csv(table)))
    assert read["recording"].tolist() == [f"'{name}", "a-b.wav"]
    assert read["peak"].tolist() == [-1.5, 2.0]


def opened_for_writing(events):
    """Return a hook that notes which files are written to."""

    def _note(event, arguments):
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            events.append(str(arguments[0]))

    return _note


def test_an_upload_is_never_a_file_and_its_name_never_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path / "no-data"))
    monkeypatch.setenv(locations.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(frame, "start_early", lambda: None)
    monkeypatch.chdir(tmp_path)
    written = []
    sys.addaudithook(opened_for_writing(written))
    test = AppTest.from_file(APP, default_timeout=300).run()
    test.switch_page("pages/listen.py").run()
    test.segmented_control(key="recording_from").set_value("Upload").run()
    for name in ("../../stored-by-name.wav", "/tmp/stored-by-name.wav"):
        test.file_uploader(key="recording_file").set_value((name, COUGH, "audio/wav"))
        test.run()
        assert not test.exception
    assert not [path for path in written if "stored-by-name" in path]
    assert not list(tmp_path.rglob("*stored-by-name*"))
    assert not list(tmp_path.parent.parent.glob("stored-by-name*"))
