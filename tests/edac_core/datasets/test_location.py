import pytest

from edac_core.datasets import location
from edac_core.errors import DataError


def test_the_environment_variable_decides(monkeypatch, tmp_path):
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path / "mine"))
    assert location.data_root() == (tmp_path / "mine").resolve()


@pytest.mark.parametrize("shared", [True, False])
def test_the_shared_folder_comes_before_the_projects_own(monkeypatch, tmp_path, shared):
    monkeypatch.delenv("EDAC_DATA_DIR", raising=False)
    monkeypatch.setattr(location, "PROJECT", tmp_path / "project")
    if shared:
        (tmp_path / "shared" / "data").mkdir(parents=True)
    expected = tmp_path / "shared" / "data" if shared else tmp_path / "project" / "data"
    assert location.data_root() == expected


def test_a_given_path_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path / "empty"))
    (tmp_path / "list.json").touch()
    found = location.require_folder("coughs", path=tmp_path, marker="list.json")
    assert found == tmp_path.resolve()


@pytest.mark.parametrize("exists", [True, False])
def test_a_missing_or_empty_folder_says_what_to_do(monkeypatch, tmp_path, exists):
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path))
    if exists:
        (tmp_path / "coughs").mkdir()
    with pytest.raises(DataError) as caught:
        location.require_folder("coughs", path=None, marker="list.json")
    for part in ("edac data download coughs", "EDAC_DATA_DIR", "'synthetic'", str(tmp_path)):
        assert part in str(caught.value)


def test_a_folder_may_have_another_name_than_its_data_set(monkeypatch, tmp_path):
    monkeypatch.setenv("EDAC_DATA_DIR", str(tmp_path))
    (tmp_path / "Cough-Data").mkdir()
    (tmp_path / "Cough-Data" / "list.json").touch()
    found = location.require_folder(
        "coughs", path=None, marker="list.json", folder_name="Cough-Data"
    )
    assert found == (tmp_path / "Cough-Data").resolve()
