import subprocess

import pytest


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 512 kB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = "size=512k,nr_inodes=100"
    command = ["mount", "-t", "tmpfs", "-o", options, "edac-test", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"file systems cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
