"""Fuzz a reader with Atheris, which follows the coverage of this project's Python.

``python fuzzing.py decoder|plan [libFuzzer's options] [corpus]``. What a reader may do is refuse in
one sentence; whatever else it raises is a finding, which Atheris writes to a file. The libraries
that decode are compiled without its instruments: of them it sees what our own code makes of it.
"""

import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edac_core.audio", "edac_core.listening", "tomllib",
                                         "edac_core.studies.plan",
                                         "edac_core.compress.methods"]):  # fmt: skip
    import numpy as np

    from edac_core.errors import EdacError
    from edac_core.listening import hear
    from edac_core.studies.plan import load_plan


def decoder(data):
    """Any bytes are a finite recording, or refused."""
    try:
        heard = hear(data, "fuzzed")
    except EdacError as error:
        one_sentence(error)
    else:
        assert np.isfinite(heard.waveform).all()


def plan(data):
    """Any bytes are a plan that its own TOML gives back, or refused."""
    path = FOLDER / "plan.toml"
    path.write_bytes(data)
    try:
        loaded = load_plan(path)
    except EdacError as error:
        one_sentence(error)
        return
    path.write_text(loaded.to_toml(), "utf-8", newline="")
    assert load_plan(path) == loaded


def one_sentence(error):
    """Refusals are for people."""
    assert str(error)
    assert "\n" not in str(error)


if __name__ == "__main__":
    # A plan may name any Python file as its network, which is then run: none is to be found.
    FOLDER = Path(tempfile.mkdtemp())
    warnings.simplefilter("ignore")
    atheris.Setup([sys.argv[0], *sys.argv[2:]], {"decoder": decoder, "plan": plan}[sys.argv[1]])
    atheris.Fuzz()
