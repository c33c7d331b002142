"""A page of what ``make bench`` measured: tables and plots, as HTML and for the documentation.

``python -m benchmarks.report`` writes both from ``bench-results/bench.json``: the HTML beside it,
which holds its plots and needs no network, and ``docs/benchmarks.md`` with pictures of them.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from rich.table import Table

from benchmarks.page import title_of
from benchmarks.stages import RESULTS, TABLES
from edac_core.locations import PROJECT
from tools import markdown

PAGE = RESULTS.with_suffix(".html")
DOCUMENT = PROJECT / "docs" / "benchmarks.md"
IMAGES = PROJECT / "docs" / "images"

_OURS, _OURS_TOO, _OTHER = "#0d7d78", "#7fc4c0", "#b5532a"
_HEIGHT = 340
_NOTE = "<!-- Written by `python -m benchmarks.report` from what `make bench` measured. -->"
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; display: block; overflow-x: auto }
td, th { border-bottom: 1px solid #ccc; padding: .3rem .8rem .3rem 0; text-align: left }
td { vertical-align: top }
"""

SECTIONS = {
    "level": (
        "One pruned level",
        "The papers' procedure done with plain tfmot, `fit` and the converter, and by this "
        "project: the same weights, recordings, epochs and all cores. AUC is that of one split.",
    ),
    "sweep": (
        "A sweep of levels",
        "`edac run` with two workers against the same levels one after the other. Ours has "
        "measured every variant's AUC, sizes and latency in that time as well.",
    ),
    "training": (
        "Training",
        "The training loop against `fit` as TensorFlow comes, on all cores. After a batch in the "
        "same order both have the same weights, up to rounding.",
    ),
    "scoring": (
        "Scoring",
        "A batch through this project, and `Interpreter` with one recording after the other.",
    ),
    "features": (
        "Features",
        "Decoding and features of all recordings, against librosa or openSMILE in a loop. "
        "openSMILE reads a file at its own sample rate, where this project has one for all "
        "recordings: their values differ.",
    ),
    "page": (
        "The first page",
        "In a browser, with more and more variants in the study, beside a page that loads a file "
        "and scores 192 recordings with it after every move of its slider.",
    ),
    "growth": (
        "How cost grows",
        "Recordings are measured, on two workers. Levels, seeds and up to 64 workers are simulated "
        "from the job times that the shipped study recorded, without the seconds that workers take "
        "to start and to send results; the rows of one and two measured workers show the gap.",
    ),
    "packing": (
        "Zip, xz and the entropy bound",
        "The bound knows how often each value stands in a tensor and nothing of its neighbours. "
        "Packers get below it where zeros come in runs.",
    ),
    "memory": ("Memory", "The most that a worker held, in a job of the largest network."),
    "targets": (
        "Past the papers",
        "The variant nearest to each target. The AUC and its interval are those of the shipped "
        "studies; latency was measured again.",
    ),
}
"""What stands above each stage's table."""


def write(results: Mapping[str, Any], *, page: Path) -> None:
    """Write the HTML page of some results.

    Parameters
    ----------
    results
        By stage, as `bench.json` has them; stages that are not there are left out.
    page
        Where to.
    """
    page.write_text("\n".join(_page(results)), "utf-8")


def document(results: Mapping[str, Any]) -> str:
    """Return the page of the documentation, in Markdown."""
    parts = ["# Benchmarks", _NOTE, _INTRODUCTION]
    for stage in _stages(results):
        title, words = SECTIONS[stage]
        parts += [f"## {title}", words, _circumstances(results[stage])]
        parts += [f"![{title}](images/{picture(stage)})"] * (stage in FIGURES)
        parts.append(_markdown(TABLES[stage](results[stage])))
    return "\n\n".join(parts) + "\n"


_INTRODUCTION = (
    "What `make bench` measured, side by side, as medians over runs: ratios mean more than "
    "seconds. What is asked was set before anything was measured; what falls short of it, or is "
    "slower than the other way, stands as it was found. It takes over an hour. Run it on a "
    "machine that does nothing else; `bench-results/bench.json` has every single time, and "
    "`bench-results/bench.html` this page."
)


def picture(stage: str) -> str:
    """Return the name of the file with a stage's plot."""
    return f"bench-{stage}.png"


def draw(page: Path, folder: Path) -> None:
    """Take a picture of each plot of an HTML page."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of the documentation only

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        window = browser.new_page(viewport={"width": 1000, "height": 800})
        window.goto(page.resolve().as_uri())
        for plot in window.locator("[data-stage]").all():
            plot.locator(".main-svg").first.wait_for()
            plot.screenshot(path=folder / picture(str(plot.get_attribute("data-stage"))))
        browser.close()


def main() -> None:
    """Write the page, the document and its pictures."""
    results = json.loads(RESULTS.read_text("utf-8"))
    write(results, page=PAGE)
    DOCUMENT.write_text(document(results), "utf-8")
    draw(PAGE, IMAGES)


def _stages(results: Mapping[str, Any]) -> Iterator[str]:
    return (stage for stage in SECTIONS if stage in results)


def _page(results: Mapping[str, Any]) -> Iterator[str]:
    yield f"<!doctype html><meta charset=utf-8><title>Benchmarks</title><style>{_STYLE}</style>"
    yield f"<h1>Benchmarks</h1><p>{_coded(_INTRODUCTION)}</p>"
    library: bool | str = True
    for stage in _stages(results):
        title, words = SECTIONS[stage]
        yield f"<h2>{title}</h2><p>{_coded(words)}</p><p>{_plain(results[stage])}</p>"
        if stage in FIGURES:
            plot = FIGURES[stage](results[stage]).to_html(full_html=False, include_plotlyjs=library)
            yield f"<div data-stage={stage}>{plot}</div>"
            library = False
        yield _html(TABLES[stage](results[stage]))


def _plain(found: Mapping[str, Any]) -> str:
    return html.escape(_circumstances(found))


def _coded(words: str) -> str:
    return re.sub("`(.+?)`", r"<code>\1</code>", words)


def _circumstances(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    parts = [
        f"{found['measured'][:10]}, {machine['cpu']}, {machine['cores']} cores",
        f"Python {machine['python']}, TensorFlow {found['versions']['tensorflow']}",
        f"load before it {found['load_average'][0]:.1f}",
        f"{found['runs']} run{'s' if found['runs'] != 1 else ''}",
        *([f"recordings of {found['dataset']}"] if "dataset" in found else []),
    ]
    return "; ".join(parts) + "."


def _rows(table: Table) -> Iterator[tuple[str, ...]]:
    return zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)


def _markdown(table: Table) -> str:
    return markdown.table([str(column.header) for column in table.columns], _rows(table))


def _html(table: Table) -> str:
    head = _row("th", (str(column.header) for column in table.columns))
    return f"<table>{head}{''.join(_row('td', row) for row in _rows(table))}</table>"


def _row(tag: str, cells: Iterable[str]) -> str:
    shown = (html.escape(cell).replace("\n", "<br>") for cell in cells)
    return f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in shown)}</tr>"


_LOG = {"type": "log", "dtick": 1}


def _figure(*, x: str, y: str, log: bool = False, **layout: Any) -> go.Figure:
    """Return an empty figure; with `log`, its heights are logarithmic."""
    return go.Figure(
        layout={
            "template": "plotly_white", "height": _HEIGHT, "margin": {"t": 30, "r": 20},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"}, "barmode": "group",
            "xaxis": {"title": x}, "yaxis": {"title": y, **(_LOG if log else {})}, **layout,
        }
    )  # fmt: skip


def _bars(figure: go.Figure, name: str, colour: str, heights: Mapping[str, float]) -> None:
    texts = [f"{height:.3g}" for height in heights.values()]
    figure.add_bar(
        x=list(heights), y=list(heights.values()), name=name, marker_color=colour, text=texts
    )


def _lines(
    figure: go.Figure,
    name: str,
    points: Iterable[tuple[float, float]],
    *,
    column: int | None = None,
    **line: Any,
) -> None:
    x, y = zip(*points, strict=True)
    place = {} if column is None else {"row": 1, "col": column}
    figure.add_scatter(x=x, y=y, name=name, mode="lines+markers", line=line, **place)


def _level(found: Mapping[str, Any]) -> go.Figure:
    def medians(name: str) -> dict[str, float]:
        levels = found["levels"].items()
        return {schedule: statistics.median(both[name]["seconds"]) for schedule, both in levels}

    figure = _figure(x="schedule", y="seconds a level")
    return _beside(figure, "plain_tfmot", "plain tfmot", medians)


def _sweep(found: Mapping[str, Any]) -> go.Figure:
    def hourly(name: str) -> dict[str, float]:
        return {"": 3_600 * found["levels"] / statistics.median(found["seconds"][name])}

    return _beside(_figure(x="", y="levels an hour"), "plain_tfmot", "plain tfmot", hourly)


def _training(found: Mapping[str, Any]) -> go.Figure:
    def speeds(name: str) -> dict[str, float]:
        networks = found["networks"].items()
        return {
            network: one["samples"] / statistics.median(one["seconds"][name])
            for network, one in networks
        }

    figure = _figure(x="network", y="samples a second")
    return _beside(figure, "plain_fit", "plain fit", speeds)


def _scoring(found: Mapping[str, Any]) -> go.Figure:
    def speed(name: str) -> dict[str, float]:
        seconds = statistics.median(found["seconds"][name])
        return {found["network"]: found["recordings"] / seconds}

    figure = _figure(x="", y="recordings a second")
    return _beside(figure, "one_at_a_time", "one at a time", speed)


def _features(found: Mapping[str, Any]) -> go.Figure:
    figure = _figure(x="front-end", y=f"seconds, {found['recordings']} recordings", log=True)
    for name, title, colour in [
        ("loop", "a loop", _OTHER),
        ("cold", "ours", _OURS),
        ("warm", "ours, from its cache", _OURS_TOO),
    ]:
        medians = {
            frontend: statistics.median(timed["seconds"] for timed in given[name])
            for frontend, given in found["frontends"].items()
        }
        _bars(figure, title, colour, medians)
    return figure


def _page_moves(found: Mapping[str, Any]) -> go.Figure:
    figure = _figure(x="", y="ms after a move", log=True, showlegend=False)
    for name, given in found["pages"].items():
        moves = [1e3 * seconds for one in given for seconds in one["moves"]]
        figure.add_box(y=moves, name=title_of(name), boxpoints="all", marker_color=_OURS)
    return figure


def _growth(found: Mapping[str, Any]) -> go.Figure:
    figure = make_subplots(cols=2, figure=_figure(x="recordings", y="seconds"))
    figure.update_yaxes(_LOG)
    for column, (name, rows) in enumerate(
        [("recordings", found["recordings"]), ("workers", found["workers"])], start=1
    ):
        marks = [row[name] for row in rows]
        figure.update_xaxes(title=name, type="log", tickvals=marks, col=column)
    figure.update_yaxes(title="times faster than one", col=2)
    for part, colour in (("seconds", _OURS), ("level", _OURS_TOO), ("rest", _OTHER)):
        points = [(row["recordings"], row[part]) for row in found["recordings"]]
        _lines(figure, _PARTS[part], points, column=1, color=colour)
    _add_workers(figure, found)
    return figure


_PARTS = {
    "seconds": "the whole study",
    "level": "a level's job",
    "rest": "audit, features, latencies",
}


def _add_workers(figure: go.Figure, found: Mapping[str, Any]) -> None:
    for name, title, colour in (
        ("workers", "workers, simulated", _OURS),
        ("measured_workers", "workers, measured", _OTHER),
    ):
        rows = found[name]
        speedups = [(row["workers"], rows[0]["seconds"] / row["seconds"]) for row in rows]
        _lines(figure, title, speedups, column=2, color=colour)
    counts = [row["workers"] for row in found["workers"]]
    _lines(figure, "ideal", zip(counts, counts, strict=True), column=2, color="#999", dash="dot")


def _packing(found: Mapping[str, Any]) -> go.Figure:
    figure = _figure(x="sparsity (%)", y="multiple of the bound", log=True)
    for packed, dash in (("zip", None), ("xz", "dot")):
        for method, colour in (("constant", _OTHER), ("polynomial", _OURS)):
            points = [
                (100 * row["level"], row[f"{packed}_bytes"] / row["bound_bytes"])
                for row in found["files"]
                if row["method"] == method
            ]
            if points:
                _lines(figure, f"{packed}, {method}", points, color=colour, dash=dash)
    figure.add_hline(1, line_color="#999")
    return figure


def _targets(found: Mapping[str, Any]) -> go.Figure:
    figure = _figure(x="", y="reached / asked", log=True)
    for name, ratio, colour in [
        ("zip", "zip_ratio", _OURS),
        ("file", "raw_ratio", _OURS_TOO),
        ("latency", "speedup", _OTHER),
    ]:
        reached = {
            row["target"]["model"]: row["variant"][ratio] / row["target"][ratio]
            for row in found["targets"]
            if "variant" in row
        }
        _bars(figure, name, colour, reached)
    figure.add_hline(1, line_color="#999")
    return figure


def _beside(
    figure: go.Figure, other: str, title: str, heights: Callable[[str], Mapping[str, float]]
) -> go.Figure:
    """Draw the bars of another contestant and, beside them, ours."""
    _bars(figure, title, _OTHER, heights(other))
    _bars(figure, "ours", _OURS, heights("ours"))
    return figure


FIGURES: dict[str, Callable[[Mapping[str, Any]], go.Figure]] = {
    "level": _level,
    "sweep": _sweep,
    "training": _training,
    "scoring": _scoring,
    "features": _features,
    "page": _page_moves,
    "growth": _growth,
    "packing": _packing,
    "targets": _targets,
}


if __name__ == "__main__":
    main()
