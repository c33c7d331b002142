import itertools
import os

import numpy as np
import pytest

from edac_core.errors import DataError, ModelError
from edac_core.measure import latency
from edac_core.measure.latency import Latency, machine, measure_latency
from edac_core.runtime import Variant


def test_every_variant_is_measured(tiny_models, tiny_features):
    measured = measure_latency(tiny_models, tiny_features, calls=25, warmup=2)
    assert list(measured) == list(tiny_models)
    for result in measured.values():
        assert result.calls == 25
        assert 0 < result.median_ms <= result.p95_ms


def test_statistics_are_in_milliseconds(tiny_models, tiny_features, monkeypatch):
    # Calls take 1, 2, ..., 100 ms.
    ticks = itertools.accumulate(
        itertools.chain.from_iterable((0, milliseconds * 10**6) for milliseconds in range(1, 101))
    )
    monkeypatch.setattr(latency.time, "perf_counter_ns", lambda: next(ticks))
    model = {"float32": tiny_models["float32"]}
    measured = measure_latency(model, tiny_features, calls=100, warmup=0)
    assert measured["float32"] == Latency(50.5, 95.05, 50.5, 100)


def test_variants_take_turns_on_the_same_recordings(tiny_models, tiny_features, monkeypatch):
    seen = []
    run = Variant.run

    def _record(self, batch):
        seen.append((self, batch))
        return run(self, batch)

    monkeypatch.setattr(Variant, "run", _record)
    models = {name: tiny_models[name] for name in ("float32", "int8")}
    measure_latency(models, tiny_features[:7], calls=20, warmup=0)
    turns = [id(variant) for variant, _ in itertools.groupby(seen, key=lambda call: call[0])]
    assert len(turns) == 4
    assert turns[0] == turns[2] != turns[1] == turns[3]
    first = [batch for variant, batch in seen if id(variant) == turns[0]]
    assert len(first) == 20
    for call, batch in enumerate(first):
        np.testing.assert_array_equal(batch, tiny_features[call % 7][np.newaxis])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot pin threads")
def test_calls_are_pinned_and_the_affinity_restored(tiny_models, tiny_features, monkeypatch):
    before = os.sched_getaffinity(0)
    during = []
    run = Variant.run

    def _record(self, batch):
        during.append(os.sched_getaffinity(0))
        return run(self, batch)

    monkeypatch.setattr(Variant, "run", _record)
    measure_latency({"int8": tiny_models["int8"]}, tiny_features, calls=3, warmup=1)
    assert during == [{max(before)}] * 4
    assert os.sched_getaffinity(0) == before


def test_affinity_is_restored_after_an_error(tiny_models, tiny_features):
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    with pytest.raises(ModelError):
        measure_latency(tiny_models, np.zeros((2, 3, 3, 1)))
    assert before is None or os.sched_getaffinity(0) == before


@pytest.mark.parametrize(("rows", "calls"), [(0, 10), (5, 0)])
def test_nothing_to_measure_is_refused(tiny_models, tiny_features, rows, calls):
    with pytest.raises(DataError, match=f"{rows} inputs and {calls} calls"):
        measure_latency(tiny_models, tiny_features[:rows], calls=calls)


def test_machine_names_the_processor_and_the_versions():
    described = machine()
    assert described["cpu"]
    assert described["cores"] == os.cpu_count()
    assert described["ai-edge-litert"].count(".") == 2
    assert described["numpy"] == np.__version__
