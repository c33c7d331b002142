import json
import re

import pytest

from benchmarks import report
from benchmarks.stages import TABLES

SECONDS = {
    "ours": [1.0, 3.0, 2.0],
    "plain_fit": [8.0],
    "plain_tfmot": [6.0],
    "one_at_a_time": [4.0],
}
VARIANT = {"auc": 0.71, "raw_bytes": 6e6, "zip_bytes": 4e5, "xz_bytes": 3e5, "median_ms": 0.5}
TIMED = {"seconds": 2.0, "computed": 4, "alike": 1.0}
OPENED = {"seconds": 2.0, "script_seconds": 1.0, "cpu_seconds": 0.9, "moves": [0.1, 0.2, 0.4],
          "megabytes": 190.0, "tensorflow": False}  # fmt: skip
FOUND = {
    "level": {
        "levels": {
            "constant": {
                name: {"seconds": SECONDS[name], "variants": {"int8": VARIANT}}
                for name in ("ours", "plain_tfmot")
            }
        }
    },
    "sweep": {"levels": 4, "epochs": 10, "workers": 2, "seconds": SECONDS},
    "training": {"batch_size": 32, "networks": {"cnn": {"samples": 80, "seconds": SECONDS}}},
    "scoring": {
        "network": "cnn", "recordings": 40, "seconds": SECONDS, "largest_difference": 0.0
    },
    "features": {
        "dataset": "synthetic", "recordings": 4, "processes": 2,
        "frontends": {"mfcc": {"cold": [TIMED], "warm": [TIMED], "loop": [TIMED]}},
    },
    "memory": {"network": "dense_c", "megabytes": {"baseline": [3500.0], "level": [None]}},
    "page": {"pages": {"shipped": [OPENED], "1000": [OPENED], "naive": [OPENED]}},
    "packing": {
        "files": [
            {"method": "constant", "level": 0.5, "bound_bytes": 100, "zip_bytes": 90,
             "xz_bytes": 80}
        ]
    },
    "growth": {
        "recordings": [
            {"recordings": 250, "seconds": 30.0, "baseline": 8.0, "level": 9.0, "rest": 13.0}
        ],
        "measured_workers": [{"workers": 1, "seconds": 9.0, "jobs": 8.0, "simulated": 8.0}],
        "workers": [{"workers": 1, "seconds": 9.0}, {"workers": 2, "seconds": 5.0}],
        "levels": [{"levels": 1, "seconds": 9.0}],
        "seeds": [{"seeds": 1, "seconds": 9.0}],
    },
    "targets": {"targets": [{"target": {"model": "cnn"}}]},
}  # fmt: skip


@pytest.fixture
def results():
    circumstances = {
        "measured": "2026-01-02T03:04:05+00:00", "load_average": [0.5, 0.4, 0.3], "runs": 3,
        "machine": {"cpu": "A <fast> one", "cores": 2, "python": "3.11.7"},
        "versions": {"tensorflow": "2.21.0"},
    }  # fmt: skip
    return {stage: circumstances | found for stage, found in FOUND.items()}


def test_every_stage_has_a_section():
    assert set(report.SECTIONS) == set(TABLES) == set(FOUND)


def test_the_document_has_every_figure_of_the_tables(results):
    text = report.document(results)

    assert "| cnn | 10.0 | 40.0 | 4.00 | 2.2 |" in text
    assert "recordings of synthetic" in text
    for title, _ in report.SECTIONS.values():
        assert f"## {title}\n" in text
    for stage in report.FIGURES:
        assert f"(images/{report.picture(stage)})" in text


def test_the_page_needs_no_network_and_has_a_plot_a_stage(results, tmp_path):
    page = tmp_path / "bench.html"

    report.write(results, page=page)

    text = page.read_text("utf-8")
    assert re.findall(r"data-stage=(\w+)", text) == [
        stage for stage in report.SECTIONS if stage in report.FIGURES
    ]
    assert "<td>40.0</td>" in text
    assert "<script src=" not in text
    assert "<fast>" not in text
    assert "<code>edac run</code>" in text


def test_a_stage_that_was_not_run_is_left_out(results):
    text = report.document({"training": results["training"]})
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Training"]


def test_pictures_are_drawn(results, tmp_path):
    page = tmp_path / "bench.html"
    report.write({"sweep": results["sweep"], "growth": results["growth"]}, page=page)

    report.draw(page, tmp_path)

    for stage in ("sweep", "growth"):
        assert (tmp_path / report.picture(stage)).read_bytes().startswith(b"\x89PNG")


def test_speedups_of_the_plot_are_those_of_the_times():
    figure = report.FIGURES["growth"](FOUND["growth"])
    simulated = next(trace for trace in figure.data if trace.name == "workers, simulated")
    assert list(simulated.y) == [1.0, 9 / 5]
    assert json.loads(figure.to_json())["layout"]["xaxis2"]["title"]["text"] == "workers"
