import io

import numpy as np
import pytest
from PIL import Image

from dashboard import frame
from tools import screenshots


class Scripted:
    """Stands for a browser's page: gives one answer after the other, the last for ever."""

    def __init__(self, *looks):
        self._looks = list(looks)

    def evaluate(self, _script):
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def wait_for_timeout(self, _milliseconds):
        pass


def look(text="", *, working=False, failed=False):
    return {"working": working, "failed": failed, "height": 900, "text": text}


def test_every_page_is_pictured_in_both_themes_and_widths():
    files = [shot.file for shot in screenshots.shots()]
    assert len(set(files)) == len(files) == 4 * len(frame.PAGES)
    for name in ("tradeoffs", "compare", "listen", "run", "inspect", "papers", "data"):
        for scheme in ("light", "dark"):
            assert {f"{name}-{scheme}-1440.png", f"{name}-{scheme}-390.png"} <= set(files)


def test_paths_are_those_that_streamlit_gives_the_pages():
    paths = {shot.page.script: shot.path for shot in screenshots.shots()}
    assert paths["app.py"] == ""
    assert paths["pages/data.py"] == "data"
    for page in frame.PAGES:
        assert (screenshots.PROJECT / page.script).is_file()


def test_some_pages_can_be_chosen():
    assert {shot.path for shot in screenshots.shots(["data", "tradeoffs"])} == {"data", ""}


def test_an_unknown_page_is_refused(capsys):
    with pytest.raises(SystemExit):
        screenshots.main(["--only", "nowhere"])
    assert "invalid choice: 'nowhere'" in capsys.readouterr().err


def test_without_a_browser_it_says_so(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert screenshots.main(["--only", "data"]) == 2
    assert "There is no Chromium on the path" in capsys.readouterr().out


def test_a_page_settles_when_it_is_idle_and_unchanged():
    page = Scripted(look(working=True), look("a"), look("b"), look("b"))
    assert screenshots.settle(page, still=0, patience=30) == ""


def test_a_page_at_work_does_not_settle():
    page = Scripted(look(working=True))
    problem = screenshots.settle(page, still=0, patience=0.01)
    assert problem == "the page is still at work after 0.01 s"


def test_an_exception_on_the_page_is_told():
    assert "exception" in screenshots.settle(Scripted(look(failed=True)), still=0)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_pictures_get_a_palette_and_keep_their_size_and_colours():
    pixels = np.full((60, 80, 3), (20, 23, 26), np.uint8)
    pixels[10:30, 10:40] = (0, 114, 178)
    with Image.open(io.BytesIO(screenshots.encode(png(pixels)))) as picture:
        assert (picture.mode, picture.size) == ("P", (80, 60))
        assert np.array_equal(np.asarray(picture.convert("RGB")), pixels)


def test_a_heavy_picture_gets_fewer_colours():
    pixels = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    light, heavy = (screenshots.encode(png(pixels), heaviest=limit) for limit in (1, 10**9))
    assert len(light) < len(heavy) < len(png(pixels))
    with Image.open(io.BytesIO(light)) as picture:
        assert len(picture.getcolors()) <= 32
