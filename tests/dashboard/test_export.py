# ruff: noqa: PLC0415 - AppTest runs the text of a function, which has to import for itself
"""The export control by itself: what it offers, and what it says when it cannot."""

import functools
import hashlib
import io
import shutil
import zipfile

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import export
from edac_core.errors import ApartError
from edac_core.locations import SHIPPED


@pytest.fixture(autouse=True)
def no_bundle_from_before():
    yield
    export._bundle.clear()
    export._model.clear()


@pytest.fixture
def shipped(stores):
    stores(shipped=SHIPPED)


@pytest.fixture
def offered(monkeypatch):
    """What download buttons would hand out, by label."""
    found = {}
    draw = st.delta_generator.DeltaGenerator.download_button

    @functools.wraps(draw)
    def _noted(self, label, data, **options):
        found[label] = (options["file_name"], data)
        return draw(self, label, data, **options)

    monkeypatch.setattr(st.delta_generator.DeltaGenerator, "download_button", _noted)
    return found


def of_a_network():
    from dashboard.choices import Network
    from dashboard.export import draw_download
    from dashboard.studies import find_studies, read_figures

    study = find_studies()[0][0]
    network = Network(study, read_figures(study), "cnn")
    row = network.row(method="polynomial", sparsity=0.95, precision="int8")
    draw_download(network, row)


def of_one_variant_a_run():
    from dashboard.choices import Network
    from dashboard.export import draw_export_of
    from dashboard.studies import find_studies, read_figures

    study = find_studies()[0][0]
    network = Network(study, read_figures(study), "cnn")
    row = network.row(method="polynomial", sparsity=0.95, precision="int8")
    for number, (_, variant) in enumerate(network.files(row).iterrows()):
        draw_export_of(study, variant, key=f"export{number}")


def run(script):
    return AppTest.from_function(script, default_timeout=60).run()


def buttons(test):
    return [button.label for button in test.get("download_button")]


def warnings(test):
    return "\n".join(item.value.replace("\\", "") for item in test.warning)


def test_it_offers_file_and_bundle_of_a_run_by_name(shipped, offered):
    test = run(of_a_network)
    assert not test.exception
    assert buttons(test) == ["Download .tflite", "Download bundle"]
    assert {label: name for label, (name, _) in offered.items()} == {
        "Download .tflite": "cnn-polynomial-95-int8-run1.tflite",
        "Download bundle": "cnn-polynomial-95-int8-run1.zip",
    }


def test_the_bundle_holds_the_file_that_is_offered_beside_it(shipped, offered):
    run(of_a_network)
    bundle = offered["Download bundle"][1]()
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/model.tflite")]
        assert archive.read(name) == offered["Download .tflite"][1]()


def test_a_bundle_that_can_be_made_leaves_the_page_as_it_is(shipped):
    test = run(of_a_network)
    test.get("download_button")[1].click().run()
    assert not test.exception
    assert not test.warning
    assert buttons(test) == ["Download .tflite", "Download bundle"]


def test_it_is_made_once_for_page_and_browser(shipped, offered, monkeypatch):
    calls = []

    class _Counting:
        def call(self, *arguments, **_):
            calls.append(arguments)
            return b"bundle"

    monkeypatch.setattr(export, "workers", _Counting)
    test = run(of_a_network)
    test.get("download_button")[1].click().run()
    assert offered["Download bundle"][1]() == b"bundle"
    assert len(calls) == 1


def test_the_file_is_unpacked_once_for_page_and_browser(shipped, offered, monkeypatch):
    read, unpacked = export.read_model, []

    def _counting(study, sha256):
        unpacked.append(sha256)
        return read(study, sha256)

    monkeypatch.setattr(export, "read_model", _counting)
    test = run(of_a_network)
    test.get("download_button")[0].click().run()
    assert hashlib.sha256(offered["Download .tflite"][1]()).hexdigest() == unpacked[0]
    assert len(unpacked) == 1


def test_a_bundle_that_takes_too_long_is_a_sentence_to_page_and_browser(
    shipped, offered, monkeypatch
):
    attempts = []

    class _Slow:
        def call(self, *_, subject, **__):
            attempts.append(subject)
            if len(attempts) > 1:
                return b"bundle"
            raise ApartError(f"{subject} took longer than 60 s and was stopped: try again.")

    monkeypatch.setattr(export, "workers", _Slow)
    test = run(of_a_network)
    with pytest.raises(ApartError):
        offered["Download bundle"][1]()
    test.get("download_button")[1].click().run()
    assert not test.exception
    assert "The bundle cnn-polynomial-95-int8-run1 took longer than 60 s" in warnings(test)
    assert len(attempts) == 1
    # Who asks again gets another attempt.
    assert offered["Download bundle"][1]() == b"bundle"


def test_what_is_no_model_is_a_sentence(stores, made_up):
    """Of the made-up study, whose files only look like files."""
    stores(shipped=made_up)
    test = run(of_a_network)
    test.get("download_button")[1].click().run()
    assert not test.exception
    assert "LiteRT cannot load these" in warnings(test)
    assert not buttons(test)


def test_a_damaged_file_is_a_sentence(stores, made_up, tmp_path):
    shutil.copytree(made_up, tmp_path / "store")
    for file in (tmp_path / "store" / "models").iterdir():
        file.write_bytes(b"damaged")
    stores(shipped=tmp_path / "store")
    test = run(of_a_network)
    test.get("download_button")[1].click().run()
    assert not test.exception
    assert ".tflite.xz is damaged; delete it by edac cache check --repair" in warnings(test)


def test_it_can_stand_more_than_once(stores, made_up, offered):
    stores(shipped=made_up)
    test = run(of_one_variant_a_run)
    assert not test.exception
    assert buttons(test) == ["Download .tflite", "Download bundle"] * 3
    assert offered["Download bundle"][0] == "cnn-polynomial-95-int8-run3.zip"


def test_one_that_is_not_here_says_so_in_its_place_only(shipped):
    test = run(of_one_variant_a_run)
    assert not test.exception
    assert buttons(test) == ["Download .tflite", "Download bundle"]
    assert len([item for item in test.markdown if "not in the store" in item.value]) == 4


def test_what_is_too_large_for_this_process_is_left_to_the_command_line(shipped, monkeypatch):
    monkeypatch.setattr(export, "MOST_BYTES", 1_000)
    test = run(of_a_network)
    assert not test.exception
    disabled = [
        button.proto.label for button in test.get("download_button") if button.proto.disabled
    ]
    assert disabled == ["Download bundle"]
    assert test.code[0].value == (
        "edac export cnn --model cnn --method polynomial --sparsity 0.95 --precision int8 "
        "--split-seed 1 --training-seed 1234 --output cnn-polynomial-95-int8-run1.zip"
    )
