from dashboard.papers import signed_zeros
from dashboard.papers.claims import Shown
from dashboard.papers.signed_zeros import file_for_zeros


def test_a_pruned_file_is_preferred_for_signs_of_zeros(shown):
    """The made-up study has no level of 90 %: its smallest baseline is taken."""
    found = file_for_zeros(shown)
    assert (found.model, found.pruned) == ("cnn", False)
    relabelled = shown[0].summary.replace({"sparsity": {0.95: signed_zeros.LEVEL}})
    rows = signed_zeros._float_rows(relabelled)
    assert set(rows["sparsity"]) == {0.0, signed_zeros.LEVEL}
    assert set(rows["precision"]) == {"float32"}


def test_no_file_is_no_measurement(shown):
    assert file_for_zeros([]) is None
    int8_only = Shown(shown[0].study, shown[0].summary.query("precision == 'int8'"))
    assert file_for_zeros([int8_only]) is None
