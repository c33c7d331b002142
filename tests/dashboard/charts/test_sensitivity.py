import pandas as pd
import pytest

from dashboard.charts.sensitivity import (
    BETTER,
    FULL_COLOUR,
    WORSE,
    describe_measured,
    draw_layer_map,
    layer_map,
)
from dashboard.theme import INKS

MINUS = "\N{MINUS SIGN}"
# Sparsities out of order, as they are where some were measured later.
MEASURED = pd.DataFrame(
    [("conv2", 8192, 0.9, 0.7), ("conv1", 576, 0.9, 0.5), ("conv2", 8192, 0.0, 0.79),
     ("conv1", 576, 0.0, 0.8), ("conv2", 8192, 0.995, 0.804), ("conv1", 576, 0.995, 0.4)],
    columns=["layer", "weights", "sparsity", "auc"],
).assign(precision="int8", auc_before=0.8, loss=0.6, loss_before=0.5, recordings=192)  # fmt: skip


def heatmap(measured=MEASURED, **options):
    (trace,) = draw_layer_map(layer_map(measured), **options).data
    return trace


def test_a_cell_is_the_change_of_auc_of_a_layer_at_a_sparsity():
    chart = layer_map(MEASURED)
    assert list(chart.changes.index) == ["conv2", "conv1"]
    assert list(chart.changes.columns) == ["0 %", "90 %", "99.5 %"]
    assert chart.changes.to_numpy().tolist() == [
        pytest.approx([-0.01, -0.1, 0.004]), pytest.approx([0, -0.3, -0.4])
    ]  # fmt: skip
    assert [list(row) for row in heatmap().text] == [
        [f"{MINUS}0.010", f"{MINUS}0.100", "+0.004"], ["±0.000", f"{MINUS}0.300", f"{MINUS}0.400"]
    ]  # fmt: skip


def test_the_first_layer_stands_above_and_has_its_weights():
    figure = draw_layer_map(layer_map(MEASURED))
    assert list(figure.layout.yaxis.ticktext) == ["conv2<br>8.19 k", "conv1<br>576"]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert list(figure.layout.xaxis.ticktext) == ["0 %", "90 %", "99.5 %"]


def test_a_colour_means_the_same_in_every_chart():
    mild = heatmap(MEASURED.assign(auc=0.801))
    for trace in (mild, heatmap()):
        assert (trace.zmin, trace.zmax) == (-FULL_COLOUR, FULL_COLOUR)
        assert [colour for _, colour in trace.colorscale][::2] == [WORSE, BETTER]


def test_what_does_not_change_is_as_light_or_dark_as_the_page():
    middles = {
        name: heatmap(ink=ink).colorscale[1][1] for name, ink in (*INKS.items(), ("none", None))
    }
    assert middles["none"] == middles["light"] != middles["dark"]


def test_hover_is_a_sentence():
    said = heatmap().customdata[1][1].replace("<br>", " ")
    assert said == (
        "conv1 (576 weights), 90 % of them set to zero, int8: validation AUC 0.500, where the "
        f"whole network has 0.800 ({MINUS}0.300), on 192 validation recordings"
    )


def test_what_is_measured_is_said():
    said = describe_measured(MEASURED)
    for part in ("that layer alone", "magnitude", "no fine-tuning", "192 validation recordings",
                 "0.800"):  # fmt: skip
        assert part in said


def test_a_layer_of_somebodys_network_brings_no_markup_and_no_endless_name():
    name = "<b>model/a_very_long_name_of_a_layer</b>"
    figure = draw_layer_map(layer_map(MEASURED.replace({"layer": {"conv1": name}})))
    written = figure.layout.yaxis.ticktext[1].split("<br>")[0]
    assert written.startswith("&lt;b&gt;model")
    assert len(written) < 24
    assert "<b>" not in figure.data[0].customdata[1][0]


def test_more_layers_take_more_room():
    many = pd.concat([MEASURED.assign(layer=f"layer{n}") for n in range(12)])
    assert layer_map(many).height > layer_map(MEASURED).height
