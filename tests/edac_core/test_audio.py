import contextlib
import io

import numpy as np
import pytest
import soundfile

from edac_core.audio import SAMPLE_RATE, EmptyAudioError, Limits, Sound, load, read, to_waveform
from edac_core.errors import AudioError

av = pytest.importorskip("av")


def tone(*, seconds=0.5, rate=22_050, channels=1, hertz=440.0):
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)
    return np.tile(wave.astype(np.float32), (channels, 1))


def encode(samples, rate, *, kind="WAV", subtype=None):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples.T, rate, format=kind, subtype=subtype)
    return buffer.getvalue()


def encode_with_av(samples, rate, *, container, codec, live=False, size=960):
    layout = {1: "mono", 2: "stereo"}[len(samples)]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options={"live": "1"} if live else {}) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.layout = layout
        for start in range(0, samples.shape[1], size):
            block = np.ascontiguousarray(samples[:, start : start + size])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def loudest_hertz(waveform, rate):
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return np.argmax(spectrum) * rate / len(waveform)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_lossless_files_give_back_their_samples(kind, tmp_path):
    samples = tone(rate=8_000, channels=2) * np.array([[1.0], [0.25]], np.float32)
    path = tmp_path / f"cough.{kind.lower()}"
    path.write_bytes(encode(samples, 8_000, kind=kind))
    for source in (path, str(path), path.read_bytes()):
        sound = read(source)
        assert sound.sample_rate == 8_000
        assert sound.samples.dtype == np.float32
        np.testing.assert_allclose(sound.samples, samples, atol=2**-15)


@pytest.mark.parametrize("kind", ["MP3", "OGG"])
def test_lossy_files_sound_as_they_did(kind):
    sound = read(encode(tone(rate=48_000), 48_000, kind=kind))
    assert loudest_hertz(sound.samples[0], 48_000) == pytest.approx(440, abs=3)


@pytest.mark.parametrize(
    ("container", "codec", "live", "size"),
    [
        ("webm", "libopus", False, 960),
        ("webm", "libopus", True, 960),
        ("ipod", "aac", False, 1024),
    ],
)
def test_browser_and_telephone_formats_decode(container, codec, live, size):
    samples = tone(rate=48_000, seconds=1.0, channels=2)
    sound = read(
        encode_with_av(samples, 48_000, container=container, codec=codec, live=live, size=size)
    )
    assert sound.sample_rate == 48_000
    assert len(sound.samples) == 2
    assert sound.samples.shape[1] == pytest.approx(48_000, abs=2048)
    assert loudest_hertz(sound.samples[0], 48_000) == pytest.approx(440, abs=3)


def test_both_decoders_agree():
    data = encode(tone(rate=16_000), 16_000, kind="FLAC")
    unknown_length = bytearray(data)
    # STREAMINFO's total number of samples: zero means unknown, which soundfile cannot read.
    unknown_length[21] &= 0xF0
    unknown_length[22:26] = bytes(4)
    np.testing.assert_array_equal(read(bytes(unknown_length)).samples, read(data).samples)


def test_waveform_is_the_mean_of_the_channels():
    samples = np.stack([np.full(100, 0.5), np.full(100, -0.25)]).astype(np.float32)
    waveform = to_waveform(Sound(samples, SAMPLE_RATE))
    np.testing.assert_allclose(waveform, np.full(100, 0.125), atol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_load_resamples_without_moving_the_pitch(rate):
    waveform = load(encode(tone(rate=rate, seconds=1.0, hertz=1_000), rate))
    assert waveform.dtype == np.float32
    assert waveform.flags.c_contiguous
    assert len(waveform) == pytest.approx(22_050, abs=1)
    assert loudest_hertz(waveform, SAMPLE_RATE) == pytest.approx(1_000, abs=2)


@pytest.mark.parametrize(
    ("rate", "channels", "limits", "complaint"),
    [
        (8_000, 1, Limits(max_seconds=0.4), "0.5 s"),
        (8_000, 9, Limits(), "9 channels"),
        (2_000, 1, Limits(), "2,000 Hz"),
        (200_000, 1, Limits(), "200,000 Hz"),
    ],
)
def test_what_is_outside_the_limits_is_refused_before_decoding(
    rate, channels, limits, complaint, monkeypatch
):
    data = encode(tone(rate=rate, channels=channels), rate)
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(AudioError, match=f"odd.wav.*{complaint}"):
        read(data, name="odd.wav", limits=limits)


def test_exactly_the_limit_is_accepted():
    data = encode(tone(rate=8_000, channels=8), 8_000)
    limits = Limits(max_seconds=0.5, min_sample_rate=8_000, max_sample_rate=8_000)
    assert read(data, limits=limits).samples.shape == (8, 4_000)


@pytest.mark.parametrize("live", [False, True])
def test_a_long_container_is_refused_with_and_without_a_duration(live):
    data = encode_with_av(
        tone(rate=48_000, seconds=2.0), 48_000, container="webm", codec="libopus", live=live
    )
    with pytest.raises(AudioError, match=r"The recording lasts .* s, longer than the 1 s accepted"):
        read(data, limits=Limits(max_seconds=1.0))


def test_five_minutes_is_the_default_limit():
    data = encode(np.zeros((1, 301 * 4_000), np.float32), 4_000, subtype="PCM_U8")
    with pytest.raises(AudioError, match=r"lasts 301\.0 s, longer than the 300 s"):
        read(data)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value):
    samples = tone()
    samples[0, 7] = value
    with pytest.raises(AudioError, match="not finite"):
        read(encode(samples, 22_050, subtype="FLOAT"))


def test_an_empty_recording_is_refused():
    with pytest.raises(EmptyAudioError, match="no samples"):
        read(encode(np.zeros((1, 0), np.float32), 22_050))
    with pytest.raises(EmptyAudioError, match=r"a\.wav is an empty file"):
        read(b"", name="a.wav")


@pytest.mark.parametrize("data", [b"not audio at all", b"RIFF\x00\x00"])
def test_what_is_not_audio_is_refused_by_name(data):
    with pytest.raises(AudioError, match=r"notes\.txt cannot be decoded"):
        read(data, name="notes.txt")


def test_a_playlist_cannot_open_other_files(tmp_path):
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encode(tone(), 22_050))
    playlist = f"ffconcat version 1.0\nfile '{secret}'\n".encode()
    with pytest.raises(AudioError, match="cannot be decoded"):
        read(playlist)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"gone\.wav cannot be opened"):
        read(tmp_path / "gone.wav")


def test_a_raw_file_is_refused(tmp_path):
    path = tmp_path / "noise.raw"
    path.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(AudioError, match=r"noise\.raw cannot be decoded"):
        read(path)


def test_a_film_without_sound_is_refused():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        picture = np.zeros((16, 16, 3), np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no audio track"):
        read(buffer.getvalue())


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1)])
def test_a_stream_that_changes_half_way_is_refused(rate, channels):
    first = encode_with_av(tone(rate=48_000), 48_000, container="adts", codec="aac", size=1024)
    second = encode_with_av(
        tone(rate=rate, channels=channels), rate, container="adts", codec="aac", size=1024
    )
    assert len(read(first + first).samples) == 1
    with pytest.raises(AudioError, match="cannot be decoded"):
        read(first + second)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "WEBM", "M4A"])
def test_damaged_files_are_decoded_or_refused_in_words(kind):
    options = {
        "WEBM": {"container": "webm", "codec": "libopus", "size": 960},
        "M4A": {"container": "ipod", "codec": "aac", "size": 1024},
    }
    samples = tone(rate=48_000)
    by_av = kind in options
    whole = (encode_with_av if by_av else encode)(
        samples, 48_000, **options.get(kind, {"kind": kind})
    )
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 30)):
            damaged[rng.integers(min(300, len(whole)))] = rng.integers(256)
        with contextlib.suppress(AudioError):
            assert np.isfinite(read(bytes(damaged)).samples).all()
