import pytest

from tools.reference import FOLDER, pages


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_reference_page_is_what_the_code_says(name):
    """If this fails, run `make reference`."""
    assert (FOLDER / name).read_text("utf-8") == pages()[name]


def test_every_command_and_setting_is_there():
    written = pages()
    assert "## `edac cache check`" in written["cli.md"]
    assert "| `--split-seed SPLIT_SEED` |" in written["cli.md"]
    assert "| `sparsities` | `tuple[float, ...]` | `()` |" in written["plan.md"]
    assert "CREATE TABLE variants" in written["store.md"]
