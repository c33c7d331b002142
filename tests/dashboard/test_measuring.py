import math
import time

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import measuring
from dashboard.measuring import Measurement
from dashboard.workers import workers
from edac_core.studies.evidence import compare_stored_zero_signs


@pytest.fixture(autouse=True)
def fresh():
    measuring._begun.clear()


@pytest.fixture(scope="module", autouse=True)
def ended():
    """End the workers when what was begun is done."""
    yield
    measuring._threads().submit(int).result()
    workers().close()
    workers.clear()


def factorial(number=5):
    return Measurement(
        key=("factorial", number), function=math.factorial, arguments=(number,), subject="It",
        meanwhile="Multiplying.", tell=lambda found: f"It is {found}.",
    )  # fmt: skip


def missing(folder):
    return Measurement(
        key=("missing",), function=compare_stored_zero_signs, arguments=(folder, False, "0", 0.9),
        subject="It", meanwhile="Looking.", tell=str,
    )  # fmt: skip


def script(measurement):
    from dashboard.measuring import draw_measurement  # noqa: PLC0415 - a page of its own

    draw_measurement(measurement)


def page(measurement):
    return AppTest.from_function(script, args=(measurement,), default_timeout=30).run()


def words(test):
    assert not test.exception
    return [item.value for item in test.markdown]


def finished(test, measurement):
    for _ in range(300):
        if measurement.begun().done():
            return test.run()
        time.sleep(0.1)
    pytest.fail("The measurement does not end.")


def test_the_page_goes_on_and_tells_in_the_end():
    measurement = factorial()
    test = page(measurement)
    assert words(test)[0] in {"Multiplying.", "It is 120."}
    assert words(finished(test, measurement)) == ["It is 120."]


def test_it_is_measured_once():
    assert factorial().begun() is factorial().begun()
    assert factorial(6).begun().result(30) == 720


def test_a_failure_is_a_sentence_and_can_be_tried_again(tmp_path):
    measurement = missing(str(tmp_path))
    failed = measurement.begun()
    test = finished(page(measurement), measurement)
    assert not test.exception
    assert "There is no study store in" in test.warning[0].value
    test.button[0].click().run()
    assert measurement.begun() is not failed
