import math

import pandas as pd
import pytest

from dashboard.metrics import cells

ROW = {
    "runs": 3, "auc": 0.8123, "auc_half_width": 0.0311, "auc_std": 0.0079,
    "auc_difference": -0.0042,
    "zip_bytes": 210_000, "zip_ratio": 108.2, "raw_bytes": 6_170_000, "raw_ratio": 3.99,
    "latency_ms": 0.391, "latency_p95_ms": 0.45,
    "speedup": 3.21, "speedup_low": 3.0, "speedup_high": 3.4,
    "weights": 6_144_704, "nonzero_weights": 614_470,
}  # fmt: skip
BASELINE = pd.Series({**ROW, "zip_bytes": 22_739_000, "raw_bytes": 24_600_000}, name=0)


def cells_of(**changes):
    baseline = changes.pop("baseline", BASELINE)
    bounds = changes.pop("bounds", (-0.02, 0.012))
    row = pd.Series({**ROW, **changes}, name=changes.pop("name", 7))
    return {cell.label: cell for cell in cells(row, baseline, bounds=bounds)}


def test_figures_as_the_page_promises():
    shown = cells_of()
    assert {label: (cell.value, cell.change, cell.note) for label, cell in shown.items()} == {
        "AUC": ("0.812 ± 0.031", "\N{MINUS SIGN}0.004 n.s.", "± 0.008 between 3 runs"),
        "Zip size": ("210 kB", "108x smaller", "float32: 22.7 MB"),
        "File size": ("6.17 MB", "4.0x smaller", "float32: 24.6 MB"),
        "Latency": ("0.39 ms", "3.2x faster", "95 % under 0.45 ms"),
        "Weights left": ("614 k", "10 %", "of 6.14 M"),
    }


@pytest.mark.parametrize(
    ("low", "high", "change", "tone"),
    [
        (-0.02, 0.01, "\N{MINUS SIGN}0.004 n.s.", "gray"),
        (-0.02, 0.0, "\N{MINUS SIGN}0.004 n.s.", "gray"),
        (-0.006, -0.002, "\N{MINUS SIGN}0.004", "red"),
        (0.001, 0.002, "\N{MINUS SIGN}0.004", "green"),
        (math.nan, math.nan, "\N{MINUS SIGN}0.004", "gray"),
    ],
)
def test_only_a_difference_outside_its_noise_is_coloured(low, high, change, tone):
    cell = cells_of(bounds=(low, high))["AUC"]
    assert (cell.change, cell.tone) == (change, tone)


def test_speed_inside_its_noise_says_so():
    cell = cells_of(speedup=1.1, speedup_low=0.9, speedup_high=1.3)["Latency"]
    assert (cell.change, cell.tone) == ("1.1x faster n.s.", "gray")
    slower = cells_of(speedup=0.5, speedup_low=0.4, speedup_high=0.6)["Latency"]
    assert (slower.change, slower.tone) == ("2.0x slower", "red")


def test_the_baseline_is_compared_with_nothing():
    shown = cells_of(name=BASELINE.name)
    changes = {shown[label].change for label in ("AUC", "Zip size", "File size", "Latency")}
    assert changes == {"the baseline itself"}
    assert {cell.tone for label, cell in shown.items() if label in ("AUC", "Latency")} == {"gray"}


def test_what_is_missing_says_so():
    shown = cells_of(
        runs=1, auc_std=math.nan, auc_difference=math.nan,
        bounds=(math.nan, math.nan), zip_ratio=math.nan,
        latency_ms=math.nan,
        baseline=None,
    )  # fmt: skip
    assert shown["AUC"].note == "one run"
    assert shown["AUC"].change == "no baseline"
    assert shown["Zip size"].note == "no baseline yet"
    assert shown["Latency"].value == "not measured"
    assert "nan" not in " ".join(f"{c.value}{c.change}{c.note}" for c in shown.values()).lower()
