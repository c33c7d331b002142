import dataclasses
import importlib.util
from pathlib import Path

import pytest

from edac_core.measure import runtimes
from edac_core.measure.graph import read_graph
from edac_core.measure.runtimes import (
    MICRO_KERNELS,
    check_runtimes,
    load_in_micro,
    micro_support_by_list,
    xnnpack_support,
)

PRECISIONS = ("float32", "float16", "int8")
micro_package = importlib.util.find_spec("tflite_micro")
needs_micro = pytest.mark.skipif(micro_package is None, reason="tflite_micro is not installed")


@pytest.fixture(scope="module")
def unknown_batch(keras, convert):
    """A network whose Reshape computes its shape from the batch, so that LiteRT runs some of it."""
    layers = keras.layers
    return convert(
        keras.Sequential(
            [
                keras.Input((6, 4, 2)),
                layers.Conv2D(4, 3),
                layers.Reshape((4, 8)),
                layers.Conv1D(3, 2),
                layers.Flatten(),
                layers.Dense(1, activation="sigmoid"),
            ]
        ),
        "float32",
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_xnnpack_takes_the_whole_of_a_network_of_known_shapes(tiny_models, precision):
    support = xnnpack_support(tiny_models[precision])
    assert (support.name, support.takes, support.how_known) == ("XNNPACK", "whole", "by loading")


def test_xnnpack_leaves_what_computes_shapes_to_litert(unknown_batch):
    support = xnnpack_support(unknown_batch)
    assert support.takes == "part"
    kinds = [operator.kind for operator in read_graph(unknown_batch).operators]
    assert f"of {len(kinds)} operators" in support.reason
    assert "SHAPE" in support.reason
    assert "FULLY_CONNECTED" not in support.reason


def test_xnnpack_does_not_take_what_it_has_no_kernel_for(keras, convert):
    adding_up = keras.layers.Lambda(keras.backend.cumsum)
    support = xnnpack_support(convert(keras.Sequential([keras.Input((4,)), adding_up]), "float32"))
    assert (support.takes, support.reason) == ("no", "It takes none of the operators.")


@needs_micro
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_list_agrees_with_loading(tiny_models, precision):
    model = tiny_models[precision]
    loaded, arena = load_in_micro(model)
    listed = micro_support_by_list(read_graph(model))
    assert (loaded.how_known, listed.how_known) == ("by loading", "by operator list")
    assert loaded.takes == listed.takes == ("whole" if precision == "float32" else "no")
    assert (arena is None) == (loaded.takes == "no")
    assert bool(loaded.reason) == bool(listed.reason) == (loaded.takes == "no")


@needs_micro
def test_a_fully_int8_model_is_for_microcontrollers(fully_int8_model):
    assert load_in_micro(fully_int8_model)[0].takes == "whole"
    assert micro_support_by_list(read_graph(fully_int8_model)).takes == "whole"


@needs_micro
def test_shapes_that_are_computed_do_harm_only_where_memory_depends_on_them(
    recurrent_models, unknown_batch
):
    for model, takes in ((recurrent_models["float32"], "no"), (unknown_batch, "whole")):
        loaded, _ = load_in_micro(model)
        assert loaded.takes == micro_support_by_list(read_graph(model)).takes == takes


@needs_micro
def test_a_network_converted_for_one_recording_is_taken(keras, recurrent_network, convert):
    inputs = keras.Input(recurrent_network.input_shape[1:], batch_size=1)
    model = convert(keras.Model(inputs, recurrent_network(inputs)), "float32")
    loaded, _ = load_in_micro(model)
    assert loaded.takes == micro_support_by_list(read_graph(model)).takes == "whole"


@needs_micro
def test_a_hybrid_model_is_refused_in_tflite_micros_words(cnn_models):
    support, arena = load_in_micro(cnn_models["int8"])
    assert support.reason.startswith("Hybrid models are not supported on TFLite Micro; Node CONV")
    assert arena is None


@needs_micro
def test_what_no_model_is_is_refused_in_a_process_of_its_own():
    support, arena = load_in_micro(b"no model" * 100)
    assert (support.takes, arena) == ("no", None)
    assert support.reason


@needs_micro
def test_a_load_that_hangs_is_given_up(tiny_models, monkeypatch):
    monkeypatch.setattr(runtimes, "_LOADING_SECONDS", 0.001)
    support, arena = load_in_micro(tiny_models["float32"])
    assert support.reason == "It did not load within 0.001 s."
    assert (support.takes, arena) == ("no", None)


@needs_micro
def test_the_listed_kernels_are_in_the_library():
    folder = Path(micro_package.submodule_search_locations[0])
    library = next(folder.rglob("_runtime*.so")).read_bytes()
    assert [name for name in MICRO_KERNELS if f"Register_{name}Ev".encode() not in library] == []


def test_the_list_says_what_stands_in_the_way(tiny_models, recurrent_models):
    reasons = {name: micro_support_by_list(read_graph(tiny_models[name])).reason
               for name in PRECISIONS}  # fmt: skip
    assert reasons == {
        "float32": "",
        "float16": "Its weights are half-precision floats.",
        "int8": "Its FULLY_CONNECTED has int8 weights and float activations (a hybrid model).",
    }
    unknown = micro_support_by_list(read_graph(recurrent_models["float32"]))
    assert unknown.takes == "no"
    assert "shapes are known only while it runs" in unknown.reason


def test_an_operator_without_a_kernel_is_named(tiny_models):
    graph = read_graph(tiny_models["float32"])
    strange = dataclasses.replace(graph.operators[0], kind="DENSIFY")
    support = micro_support_by_list(dataclasses.replace(graph, operators=(strange,)))
    assert support.reason == "There is no DENSIFY in TFLite Micro."
    looping = micro_support_by_list(dataclasses.replace(graph, is_whole=False))
    assert "loops or branches" in looping.reason


def test_without_the_package_the_list_is_asked(tiny_models, monkeypatch):
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda _: None)
    model = tiny_models["float32"]
    found, arena = check_runtimes(model, read_graph(model))
    assert [support.name for support in found] == ["LiteRT", "XNNPACK", "TFLite Micro"]
    assert found[-1].how_known == "by operator list"
    assert arena is None
