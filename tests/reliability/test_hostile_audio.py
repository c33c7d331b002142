"""Whatever is handed over as a recording: a sentence or a score, soon, and within its memory.

All goes through what the page calls: `hear` and `hear_out` in worker processes.
"""

import io
import resource
import time
import zipfile

import numpy as np
import pytest
from hostile import (
    assert_one_sentence,
    encoded,
    encoded_as,
    noise,
    of_bytes,
    patched,
    silent_hours,
    sleep_for_ever,
)
from streamlit.testing.v1 import AppTest

import dashboard.workers
import edac_core.listening
from dashboard import frame
from dashboard.workers import DECODING_SECONDS, PROCESSES
from edac_core import locations
from edac_core.apart import Workers
from edac_core.errors import ApartError, EdacError
from edac_core.listening import LOUDEST, MOST_SAMPLES, hear
from edac_core.locations import PROJECT
from edac_core.studies.store import Store
from edac_core.verdicts import ModelFile, hear_out

NAME = "cough.wav"
SECONDS = 2
MEMORY = 4 * 2**30
RATE_AT, RIFF_AT, DATA_AT = 24, 4, 40
WHOLE = encoded(noise(), subtype="PCM_16")


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("cough.txt", "not a cough" * 100)
    return file.getvalue()


REFUSED = {
    "empty": (b"", "is an empty file: record it again"),
    "header only": (WHOLE[:44], "holds no samples: record it again"),
    "half a header": (WHOLE[:30], "cannot be decoded as audio: export it again"),
    "NaN": (encoded(np.append(noise(), np.nan)), "holds values that are not finite"),
    "infinity": (encoded(np.append(noise(), -np.inf)), "holds values that are not finite"),
    "1e30": (encoded(noise() * 1e30), "times as loud as full scale: export it again"),
    "sample rate 0": (patched(WHOLE, RATE_AT, 0), "cannot be decoded as audio"),
    "sample rate 1": (patched(WHOLE, RATE_AT, 1), "is sampled at 1 Hz: resample it"),
    "sample rate 2^31 - 1": (
        patched(WHOLE, RATE_AT, 2**31 - 1),
        "is sampled at 2,147,483,647 Hz: resample it",
    ),
    "1,024 channels": (encoded(np.zeros((9, 1_024))), "has 1,024 channels: mix it down"),
    "data of no size": (patched(WHOLE, DATA_AT, 0), "holds no samples: record it again"),
    "PDF": (b"%PDF-1.7\n" + bytes(500), "cannot be decoded as audio: export it again"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(500), "cannot be decoded as audio"),
    "zip": (zipped(), "cannot be decoded as audio"),
    "random bytes": (of_bytes(100_000), "cannot be decoded as audio"),
}
NOTHING_TO_JUDGE = {
    "one sample": (encoded(np.ones(1)), "too short"),
    "data of 50 samples": (patched(WHOLE, DATA_AT, 101), "too short"),
    "silence": (encoded(np.zeros(22_050)), "silent"),
    "denormal numbers": (encoded(noise() * np.float32(1e-40)), "silent"),
}
SCORED = {
    "full scale of integers": encoded(noise() * 2**31),
    "RIFF of no size": patched(WHOLE, RIFF_AT, 0),
    "RIFF too small": patched(WHOLE, RIFF_AT, 100),
    "RIFF too large": patched(WHOLE, RIFF_AT, 2**32 - 1),
    "data too large": patched(WHOLE, DATA_AT, 2**31),
    "data of any size": patched(WHOLE, DATA_AT, 2**32 - 1),
    "direct current": encoded(np.full(22_050, 0.5)),
    "FLAC called WAV": encoded(noise(), kind="FLAC", subtype="PCM_16"),
}


@pytest.fixture(scope="module")
def workers():
    """A worker as the page's are, which has begun already."""
    workers = Workers(processes=1)
    heard = workers.call(hear, WHOLE, NAME, seconds=120)
    workers.call(hear_out, heard.waveform, "mfcc", (shipped(),), seconds=120)
    yield workers
    workers.close()


def shipped():
    with_files = Store(locations.SHIPPED, readonly=True).variants("cnn").query("has_model")
    sha256 = with_files.query("precision == 'int8' and method == 'none'")["sha256"].iloc[0]
    return ModelFile(str(locations.SHIPPED), live=False, sha256=sha256)


def judged(workers, data):
    """Hear a file and ask the variant, as the page does; return what is wrong, and the score."""
    heard = workers.call(hear, data, NAME, seconds=DECODING_SECONDS, subject=NAME)
    kinds = [finding.kind for finding in heard.quality.findings]
    if not heard.quality.usable:
        return kinds, None
    hearing = workers.call(
        hear_out, heard.waveform, "mfcc", (shipped(),), seconds=60, subject="The recording"
    )
    assert np.isfinite(hearing.features).all()
    return kinds, hearing.verdicts[0].probability


def soon(workers, data):
    """Judge a file in time.

    The processor time of the worker is what counts: the machine may have other things to do.
    """
    before = workers.call(time.process_time, seconds=20)
    try:
        return judged(workers, data)
    finally:
        assert workers.call(time.process_time, seconds=20) - before < SECONDS


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_recording_is_a_sentence_that_names_it_and_the_remedy(workers, case):
    data, sentence = REFUSED[case]
    with pytest.raises(EdacError) as caught:
        soon(workers, data)
    assert_one_sentence(caught.value, about=NAME)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("case", NOTHING_TO_JUDGE)
def test_what_holds_nothing_to_judge_says_so_and_is_not_asked_about(workers, case):
    data, kind = NOTHING_TO_JUDGE[case]
    assert soon(workers, data) == ([kind], None)


@pytest.mark.parametrize("case", SCORED)
def test_what_only_its_header_lies_about_is_scored(workers, case):
    _, probability = soon(workers, SCORED[case])
    assert 0 <= probability <= 1


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "webm", "m4a"])
def test_a_file_cut_off_anywhere_is_a_score_or_a_sentence(workers, suffix):
    whole = encoded_as(suffix)
    assert 0 <= judged(workers, whole)[1] <= 1
    for end in np.linspace(1, len(whole) - 1, 20).astype(int):
        try:
            _, probability = soon(workers, whole[:end])
        except EdacError as error:
            assert_one_sentence(error, about=NAME)
        else:
            assert probability is None or 0 <= probability <= 1


def test_eight_silent_hours_are_refused_from_the_header(workers):
    data = silent_hours(8)
    with pytest.raises(EdacError, match=r"lasts 28,800\.0 s, longer than the 300 s accepted"):
        soon(workers, data)


def test_what_would_fill_the_memory_is_refused_from_the_header(workers):
    data = silent_hours(1 / 60, rate=192_000, channels=8)
    with pytest.raises(
        EdacError, match=r"^cough\.wav holds 92,160,000 samples in 8 channels, more"
    ):
        soon(workers, data)


def peak_of(data):
    """Decode, and return the most memory that this process ever held, in bytes."""
    hear(data, NAME)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.nightly
def test_the_largest_recording_that_is_accepted_stays_far_within_the_memory():
    workers = Workers(processes=1)
    seconds = 59
    assert 0.9 * MOST_SAMPLES < seconds * 96_000 * 6 <= 1.02 * MOST_SAMPLES
    data = encoded(np.tile(noise(seconds, rate=96_000)[: MOST_SAMPLES // 6, np.newaxis], (1, 6)),
                   rate=96_000, kind="FLAC", subtype="PCM_16")  # fmt: skip
    assert workers.call(peak_of, data, seconds=600) < MEMORY / PROCESSES
    workers.close()


def test_what_no_header_gives_away_stops_at_the_limit_of_memory():
    workers = Workers(processes=1, memory=400 * 2**20)
    with pytest.raises(ApartError, match=r"^cough\.wav needs more than the 0\.39 GiB of memory"):
        workers.call(hear, silent_hours(1 / 60, rate=96_000, channels=4), NAME, seconds=60,
                     subject=NAME)  # fmt: skip
    assert workers.call(abs, -1, seconds=20) == 1
    workers.close()


def test_a_decoder_that_hangs_is_killed_and_the_next_recording_is_heard(workers):
    with pytest.raises(ApartError, match=r"^cough\.wav took longer than 0\.5 s and was stopped"):
        workers.call(sleep_for_ever, b"", NAME, seconds=0.5, subject=NAME)
    assert workers.call(hear, WHOLE, NAME, seconds=DECODING_SECONDS).seconds == 1


def test_the_page_outlives_a_decoder_that_hangs(tmp_path, monkeypatch):
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path / "no-data"))
    monkeypatch.setattr(frame, "start_early", lambda: None)
    test = AppTest.from_file(PROJECT / "app.py", default_timeout=300).run()
    test.switch_page("pages/listen.py").run()
    test.segmented_control(key="recording_from").set_value("Upload").run()
    with monkeypatch.context() as hanging:
        hanging.setattr(dashboard.workers, "DECODING_SECONDS", 0.5)
        hanging.setattr(edac_core.listening, "hear", sleep_for_ever)
        test.file_uploader(key="recording_file").set_value((NAME, WHOLE, "audio/wav"))
        test.run()
        assert not test.exception
        assert "took longer than 0.5 s and was stopped" in test.warning[0].value.replace("\\", "")
    test.run()
    assert not test.exception
    assert not test.warning


def test_what_is_louder_than_any_integer_is_refused_and_the_rest_is_not():
    assert hear(encoded(np.full(22_050, LOUDEST)), NAME).quality.usable
    with pytest.raises(EdacError, match=r"^cough\.wav is 4\.3e\+09 times as loud as full scale"):
        hear(encoded(np.full(22_050, 2 * LOUDEST)), NAME)
