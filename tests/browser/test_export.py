"""Somebody downloads a bundle from the first page, unpacks it, and its check passes."""

import hashlib
import subprocess
import sys
import zipfile

import pytest
from playwright.sync_api import TimeoutError as StillWaiting
from playwright.sync_api import expect

from dashboard.export import BUNDLE_SECONDS

CHOSEN = "int8&method=polynomial&sparsity=95&run=1"
# Longer than the page itself waits, so that its words on what went wrong are there to be read.
PATIENCE_MS = 1000 * (BUNDLE_SECONDS + 30)


def downloaded(page, label, folder):
    button = page.get_by_test_id("stDownloadButton").get_by_role("button", name=label)
    try:
        with page.expect_download(timeout=PATIENCE_MS) as waiting:
            button.click()
    except StillWaiting:
        pytest.fail(f"No download. The page says: {page.get_by_test_id('stMain').inner_text()}")
    download = waiting.value
    target = folder / download.suggested_filename
    download.save_as(target)
    return target


def test_a_bundle_is_downloaded_and_passes_its_own_check(visit, settle, tmp_path):
    page = visit(f"?study=cnn&model=cnn&precision={CHOSEN}")
    bundle = downloaded(page, "Download bundle", tmp_path)
    settle(page)
    model = downloaded(page, "Download .tflite", tmp_path)
    assert bundle.name == "cnn-polynomial-95-int8-run1.zip"
    assert model.name == "cnn-polynomial-95-int8-run1.tflite"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path)
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    digests = [hashlib.sha256(path.read_bytes()) for path in (model, folder / "model.tflite")]
    assert digests[0].digest() == digests[1].digest()
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "check.py")],
        capture_output=True, text=True, check=False, env={},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (
        0, "OK: files, features and scores are as they were.\n"
    )  # fmt: skip
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
