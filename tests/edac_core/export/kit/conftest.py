import pytest


@pytest.fixture
def folder(bundle, tmp_path):
    """The bundle of the shipped variant, unpacked."""
    folder = tmp_path / bundle.folder
    folder.mkdir()
    for name, content in bundle.files.items():
        (folder / name).write_bytes(content)
    return folder
