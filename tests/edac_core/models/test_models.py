import subprocess
import sys

import pytest

from edac_core.errors import PlanError
from edac_core.models import MODELS, get_model


def test_unknown_model_names_the_known():
    with pytest.raises(PlanError, match=r"no model 'cnm'; choose from: cnn, cnn_lstm, dense_a"):
        get_model("cnm")


def test_specs_are_found_under_their_own_names():
    assert all(name == spec.name for name, spec in MODELS.items())


def test_importing_models_does_not_import_tensorflow():
    code = "import sys, edac_core.models; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
