import pytest

from dashboard.running.plans import _options, _settings


@pytest.mark.parametrize(
    "options",
    [
        {"n": 240, "seed": 0},
        {"positive": "wet", "strict": True, "share": 0.5},
        {"name": "back\\slash, 'quote' and \"quotes\"", "a b": [1, 2]},
    ],
)
def test_settings_that_the_form_shows_are_read_as_they_were(options):
    assert _options(_settings(options)) == options
