import pytest

from edac_core.errors import PlanError
from edac_core.models import MODELS, get_model


def test_unknown_model_names_the_known():
    with pytest.raises(PlanError, match=r"no model 'cnm'; choose from: cnn, cnn_lstm, dense_a"):
        get_model("cnm")


def test_specs_are_found_under_their_own_names():
    assert all(name == spec.name for name, spec in MODELS.items())
