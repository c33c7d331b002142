import numpy as np
import pytest
import soundfile
from sklearn.metrics import roc_auc_score

from edac_core.audio import SAMPLE_RATE, load
from edac_core.datasets import open_dataset
from edac_core.datasets.synthetic import SOURCES, synthesize
from edac_core.errors import DataError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return open_dataset("synthetic", path=tmp_path_factory.mktemp("synthetic"), n=80, seed=1)


def low_share(waveform):
    """Share of the energy below 1.1 kHz: a crude reading of how dark the middle phase is."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    hertz = np.fft.rfftfreq(len(waveform), 1 / SAMPLE_RATE)
    return power[hertz < 1_100].sum() / power[hertz < 3_000].sum()


def test_classes_and_sources_are_balanced(dataset):
    table = dataset.recordings
    assert dataset.synthetic
    assert set(table.groupby(["label", "group"]).size()) == {20}


def test_participants_have_one_to_three_recordings_of_one_label_and_source(dataset):
    people = dataset.recordings.groupby("participant")
    assert set(people.size()) == {1, 2, 3}
    assert people[["label", "group"]].nunique().eq(1).all(axis=None)


def test_files_are_mono_16_bit_flac_at_the_front_ends_rate(dataset):
    info = soundfile.info(dataset.recordings["path"].iloc[0])
    assert (info.samplerate, info.channels, info.format) == (22_050, 1, "FLAC")
    assert info.subtype == "PCM_16"


def test_a_crude_feature_tells_the_classes_apart_but_not_perfectly(dataset):
    shares = [low_share(load(path)) for path in dataset.recordings["path"]]
    assert 0.75 < roc_auc_score(dataset.recordings["label"], shares) < 0.97


def test_sources_differ_in_loudness_and_bandwidth_and_labels_in_neither(dataset):
    table = dataset.recordings.assign(
        peak=[np.abs(load(path)).max() for path in dataset.recordings["path"]]
    )
    peaks = table.groupby("group")["peak"].median()
    assert peaks["studio"] > 2 * peaks["telephone"]
    assert 0.3 < roc_auc_score(table["label"], table["peak"]) < 0.7


def test_the_same_options_give_the_same_samples_and_are_written_once(dataset, tmp_path):
    again = open_dataset("synthetic", path=tmp_path, n=80, seed=1)
    path = again.recordings["path"].iloc[7]
    np.testing.assert_array_equal(load(path), load(dataset.recordings["path"].iloc[7]))
    before = [file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*.flac"))]
    open_dataset("synthetic", path=tmp_path, n=80, seed=1)
    assert before == [file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*.flac"))]


def test_other_options_get_another_folder(tmp_path):
    for options in ({"seed": 0}, {"seed": 1}):
        open_dataset("synthetic", path=tmp_path, n=4, **options)
    open_dataset("synthetic", path=tmp_path, n=5)
    assert len(list(tmp_path.iterdir())) == 3


def test_an_interrupted_writer_leaves_no_half_folder(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("edac_core.datasets.synthetic.soundfile.write", fail)
        with pytest.raises(KeyboardInterrupt):
            open_dataset("synthetic", path=tmp_path, n=4)
    assert not list(tmp_path.iterdir())
    table = open_dataset("synthetic", path=tmp_path, n=4).recordings
    assert all(len(load(path)) for path in table["path"])


@pytest.mark.parametrize("source", [source.name for source in SOURCES])
@pytest.mark.parametrize("label", [0, 1])
def test_one_waveform_can_be_had_alone(label, source):
    waveforms = [synthesize(label, seed=seed, source=source) for seed in range(20)]
    assert all(wave.dtype == np.float32 and np.abs(wave).max() < 1 for wave in waveforms)
    seconds = [len(wave) / SAMPLE_RATE for wave in waveforms]
    assert min(seconds) > 2.99
    assert max(seconds) < 4.51
    np.testing.assert_array_equal(waveforms[3], synthesize(label, seed=3, source=source))


def test_the_phases_follow_each_other():
    wave = np.abs(synthesize(1, seed=5))
    start = np.argmax(wave > 0.05)
    burst = wave[start : start + 900].max()
    later = wave[start + 2_000 : start + 4_000].max()
    assert burst > later > 0


def test_too_few_recordings_are_refused():
    with pytest.raises(DataError, match="n=3: ask for 4 or more"):
        open_dataset("synthetic", n=3)
