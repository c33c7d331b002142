import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks import growth
from benchmarks.growth import Task, makespan

TIMES = st.floats(0.1, 100)


@st.composite
def tasks(draw):
    made = []
    for at in range(draw(st.integers(1, 12))):
        after = draw(st.none() | st.integers(0, at - 1)) if at else None
        made.append(Task(draw(TIMES), after))
    return made


@given(tasks(), st.integers(1, 5))
def test_a_makespan_is_within_its_bounds(made, workers):
    """No schedule is faster than work over workers, or the longest chain (Graham 1966)."""
    work = sum(task.seconds for task in made)
    chains = []
    for task in made:
        chains.append(task.seconds + (0 if task.after is None else chains[task.after]))

    found = makespan(made, workers=workers)

    assert found >= max(work / workers, *chains) - 1e-6
    assert found <= work + 1e-6


@given(st.lists(TIMES, min_size=1, max_size=5))
def test_independent_tasks_are_within_a_third_of_the_best(seconds):
    """Against every way to divide them; a list in no order may be up to 3/2 on two workers."""
    best = min(
        max(sum(itertools.compress(seconds, chosen)),
            sum(itertools.compress(seconds, [not one for one in chosen])))
        for chosen in itertools.product([True, False], repeat=len(seconds))
    )  # fmt: skip
    assert best - 1e-6 <= makespan([Task(one) for one in seconds], workers=2) <= 1.5 * best + 1e-6


def test_a_level_waits_for_its_baseline():
    made = [Task(10), Task(4), Task(5, after=1), Task(5, after=0)]
    assert makespan(made, workers=2) == 15
    assert makespan(made, workers=1) == 24


def test_what_starts_from_a_later_task_is_refused():
    with pytest.raises(ValueError, match="Task 0 starts from one that does not stand before it"):
        makespan([Task(1, after=1), Task(1)], workers=1)


def test_growth_of_a_small_study_is_measured(monkeypatch):
    monkeypatch.setattr(growth, "MEASURED_WORKERS", ())

    found = growth.measure(say=print, recordings=[60])

    (row,) = found["recordings"]
    assert row["seconds"] > row["baseline"] + row["level"] > 0
    assert [one["seconds"] for one in found["workers"]] == sorted(
        (one["seconds"] for one in found["workers"]), reverse=True
    )
    assert found["levels"][-1]["seconds"] > found["levels"][0]["seconds"]
    shown = io.StringIO()
    Console(file=shown, width=160).print(growth.table(found))
    assert "workers, simulated" in shown.getvalue()
