import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.listening.knobs import adjusted, fit, knob_of, read_amounts, write_amounts
from edac_core.operations import RECIPES, PitchShift, PolarityInversion, TimeStretch, Trim

OPERATIONS = [operation for recipe in RECIPES.values() for operation in recipe]
STRETCH = TimeStretch(0.7, 1.4, 0.9)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sliders_span_what_the_paper_draws_from(operation):
    knob = knob_of(operation, alone=False)
    if isinstance(operation, PolarityInversion):
        assert knob is None
    elif isinstance(operation, Trim):
        assert knob.low < knob.default == 30 < knob.high
    elif operation.low == operation.high:
        assert knob.low < knob.default == -4 < knob.high
    else:
        assert knob.default == (knob.low, knob.high) == (operation.low, operation.high)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_slider_at_its_default_changes_nothing(operation):
    knob = knob_of(operation, alone=False)
    if knob is not None:
        assert adjusted(operation, knob.default) == operation


def test_a_slider_sets_or_narrows():
    assert adjusted(STRETCH, 1.2) == TimeStretch(1.2, 1.2, 0.9)
    assert adjusted(STRETCH, (0.8, 1.0)) == TimeStretch(0.8, 1.0, 0.9)
    assert adjusted(Trim(30, 1), 45.0) == Trim(45, 1)


def test_alone_it_stands_at_one_value():
    assert knob_of(STRETCH, alone=True).default == 1.05
    assert knob_of(PitchShift(-4, -4, 1), alone=True).default == -4


@given(value=st.floats(-2, 4), low=st.floats(0.7, 1.4), high=st.floats(0.7, 1.4))
def test_what_an_address_holds_is_read_back(value, low, high):
    alone, narrowed = knob_of(PitchShift(-2, 4, 1), alone=True), knob_of(STRETCH, alone=False)
    ends = sorted([narrowed.nearest(low), narrowed.nearest(high)])
    amounts = (alone.nearest(value), tuple(ends))
    assert read_amounts(write_amounts(amounts), (alone, narrowed)) == amounts


@pytest.mark.parametrize(
    "text", ["", "0.69", "1.41", "nan", "inf", "x", "1,1", "0.8~1.0", "~", ","]
)
def test_what_does_not_fit_a_slider_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the caller says it in its own words
        read_amounts(text, [knob_of(STRETCH, alone=True)])


@pytest.mark.parametrize("text", ["0.8", "1.2~0.8", "0.1~1", "0.8~1.0~1.2", "nan~nan"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - the caller says it in its own words
        read_amounts(text, [knob_of(STRETCH, alone=False)])


def test_no_sliders_have_no_amounts():
    assert read_amounts(write_amounts([]), []) == ()


def test_amounts_of_other_sliders_do_not_fit():
    knob = knob_of(STRETCH, alone=True)
    assert fit([1.2], [knob])
    assert not fit([-4.0], [knob])
    assert not fit([1.2, 1.2], [knob])
    assert not fit([(0.8, 1.2)], [knob])
