"""What workers do before anybody asks: the first call finds its libraries imported."""

from __future__ import annotations

import io

import numpy as np


def rehearse() -> None:
    """Decode, augment and picture a second of noise.

    Made to be called apart (`edac_core.apart`), once a process: the libraries that this needs take
    seconds to import, and the same calls a few milliseconds from then on.
    """
    import soundfile  # noqa: PLC0415 - who only has this called apart need not load it

    from edac_core.audio import SAMPLE_RATE  # noqa: PLC0415 - as above
    from edac_core.listening import hear  # noqa: PLC0415 - as above
    from edac_core.operations import RECIPES  # noqa: PLC0415 - as above
    from edac_core.previews import Change, Stage, preview  # noqa: PLC0415 - as above
    from edac_core.verdicts import prepare  # noqa: PLC0415 - as above

    file = io.BytesIO()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLE_RATE)
    soundfile.write(file, noise, SAMPLE_RATE, format="WAV")
    heard = hear(file.getvalue(), "noise")
    preview(heard.waveform, Change((Stage("aug1", RECIPES["aug1"]),)), "mfcc")
    prepare("mfcc", [])
