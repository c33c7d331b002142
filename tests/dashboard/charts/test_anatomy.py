import math

import pytest

from dashboard.charts import anatomy
from dashboard.charts.anatomy import (
    GRAPH,
    MOST_BARS,
    OTHERS,
    describe_times,
    describe_zeros,
    draw_bars,
    draw_spread,
    draw_treemap,
    layer_table,
    operator_bars,
    treemap,
)
from edac_core.measure.parts import OperatorTime, OperatorTimes, Spread, Tensor

TENSORS = (
    Tensor("conv", "weights", (2, 3, 3, 1), "float32", 18, 9, 72, 40),
    Tensor("conv", "biases", (2,), "float32", 2, 0, 8, 10),
    Tensor("flatten", "constants", (2,), "int32", 2, 0, 8, 10),
    Tensor("lstm", "weights", (4, 8), "int8", 32, 24, 32, 20),
    Tensor("lstm", "weights", (4, 10), "int8", 40, 30, 40, 30),
)
SPREAD = Spread("conv", (2, 5), (-1.5, -0.5, 0.5, 1.5), (3, 6, 1), (3, 0, 1), 0, 6)


def _operator(layer, kind, ms, times=1):
    return OperatorTime(layer, kind, (1, 2), times, ms)


def test_layers_sum_their_tensors_up():
    table = layer_table(TENSORS).set_index("layer")
    assert list(table.index) == ["conv", "flatten", "lstm"]
    assert table["parameters"].to_dict() == {"conv": 20, "flatten": 0, "lstm": 72}
    assert table.loc["conv", "sparsity"] == 0.5
    assert table.loc["lstm", "sparsity"] == 54 / 72
    assert math.isnan(table.loc["flatten", "sparsity"])
    assert table.loc["lstm", "shape"].replace("\N{MULTIPLICATION SIGN}", "x") == "4 x 8, 4 x 10"
    assert table["raw_bytes"].sum() == sum(tensor.raw_bytes for tensor in TENSORS)


@pytest.mark.parametrize(("size", "whole"), [("raw_bytes", 200), ("packed_bytes", 150)])
def test_tiles_fill_the_file(size, whole):
    tiles = treemap(TENSORS, size=size, whole=whole).tiles
    assert tiles.loc[tiles["parent"] == "", "bytes"].sum() == whole
    assert GRAPH in set(tiles["id"])
    inside = tiles[tiles["parent"] != ""].groupby("parent")["bytes"].sum()
    assert inside.to_dict() == tiles.set_index("id").loc[inside.index, "bytes"].to_dict()


def test_what_packs_better_together_leaves_no_tile_for_the_graph():
    tiles = treemap(TENSORS, size="packed_bytes", whole=100).tiles
    assert GRAPH not in set(tiles["id"])


def test_colour_is_sparsity_and_grey_is_none_of_it():
    figure = draw_treemap(treemap(TENSORS, size="raw_bytes", whole=200))
    tiles = figure.data[0]
    colours = dict(zip(tiles.ids, tiles.marker.colors, strict=True))
    assert colours["conv/1"] == colours["flatten/2"] == anatomy.NO_WEIGHTS_COLOUR
    assert colours["lstm/3"] == colours["lstm/4"] == colours["lstm"] != colours["conv/0"]
    assert "90.1 %" not in str(tiles.customdata)
    assert "75 % of its weights zero" in " ".join(tiles.customdata).replace("<br>", " ")


def test_bars_leave_zeros_and_empty_bins_out():
    figure = draw_spread(SPREAD, precision="int8")
    bars, line = figure.data
    assert list(bars.y) == [3, None, 1]
    assert list(line.y) == [3, 6, 1]
    assert list(bars.x) == [-1, 0, 1]
    assert describe_zeros(SPREAD) == (
        "**60 %** of 10 weights are zero (none in the baseline); the chart shows the others."
    )


def test_a_spread_without_a_baseline_draws_itself_alone():
    alone = Spread("conv", (2, 5), SPREAD.edges, (), (4, 5, 1), 0, 0)
    assert len(draw_spread(alone, precision="float32").data) == 1
    assert describe_zeros(alone) == "**None** of 10 weights is zero."


def test_operators_of_one_kind_in_a_layer_are_one_bar():
    times = OperatorTimes(
        (_operator("lstm", "MUL", 0.1, 31), _operator("conv", "CONV_2D", 2.0),
         _operator("lstm", "MUL", 0.2, 2)), 5.0, 10,
    )  # fmt: skip
    rows = operator_bars(times).rows
    assert list(rows["name"]) == ["lstm · multiply", "conv · convolution"]
    assert rows["ms"].tolist() == pytest.approx([3.5, 2.0])
    assert rows["share"].sum() == pytest.approx(1)
    assert "33 times" in rows["sentence"][0]


def test_what_takes_least_is_one_bar_and_nothing_is_lost():
    operators = tuple(_operator(f"layer{n}", "ADD", float(n)) for n in range(1, 21))
    times = OperatorTimes(operators, 200.0, 10)
    chart = operator_bars(times)
    assert len(chart.rows) == MOST_BARS
    assert chart.rows["name"].iloc[-1] == OTHERS
    assert chart.rows["ms"].sum() == pytest.approx(times.sum_ms)
    assert list(chart.rows["name"][:2]) == ["layer12 · add", "layer13 · add"]
    figure = draw_bars(chart, precision="int8")
    assert list(figure.data[0].y)[-1] == "layer12 · add"


@pytest.mark.parametrize(
    ("whole", "said"),
    [(4.0, "25 % more than"), (5.0, "as much as"), (10.0, "50 % less than")],
)
def test_the_sum_is_told_beside_the_whole(whole, said):
    times = OperatorTimes((_operator("a", "ADD", 5.0),), whole, 10)
    assert said in describe_times(times)
