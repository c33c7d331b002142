import pytest
from hypothesis import given
from hypothesis import strategies as st

from edac_core.compress.methods import (
    METHODS,
    Step,
    method_name,
    parse_recipe,
    takes_levels,
    total_sparsity,
    write_recipe,
)
from edac_core.compress.workshop import _DO
from edac_core.errors import PlanError


def test_a_recipe_is_a_chain_of_steps():
    assert parse_recipe("width-distilled:0.9+polynomial:0.5+cluster-16") == (
        Step("width-distilled", 0.9), Step("polynomial", 0.5), Step("cluster-16"),
    )  # fmt: skip


def test_a_level_says_how_much_a_method_without_a_number_removes():
    assert parse_recipe("polynomial+qat", sparsity=0.8) == (Step("polynomial", 0.8), Step("qat"))


sparsities = st.floats(1e-6, 1 - 1e-6)
removing = st.sampled_from(["polynomial", "constant", "movement", "structured-taylor"])


@given(st.lists(st.builds(Step, removing, sparsities), min_size=1, max_size=4).map(tuple))
def test_what_is_written_is_read_back(steps):
    assert parse_recipe(write_recipe(steps)) == steps


def test_steps_remove_shares_of_what_reaches_them():
    assert total_sparsity(parse_recipe("width:0.9+polynomial:0.5+qat")) == 0.95
    assert total_sparsity(parse_recipe("polynomial", sparsity=0.9)) == 0.9
    assert total_sparsity(parse_recipe("qat")) == 0


@pytest.mark.parametrize(
    ("text", "takes"),
    [("polynomial", True), ("polynomial+cluster-16", True), ("qat", False), ("width:0.9", False)],
)
def test_levels_are_for_what_removes_without_a_number(text, takes):
    assert takes_levels(text) is takes


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("magic", r"no method 'magic' \(in 'magic'\); choose from: polynomial"),
        ("qat:0.5", "'qat' removes no weights; write it without 'qat:0.5'"),
        ("polynomial", "does not say how much 'polynomial' removes"),
        ("polynomial:90", "In 'polynomial:90', '90' is not a fraction between 0 and 1"),
        ("polynomial:much", "'much' is not a fraction"),
        ("polynomial:0.5+width:0.5", "'width' can only be first"),
        ("qat+polynomial:0.5", "'qat' can only be last"),
        ("rewritten+qat", "'rewritten' can only be alone"),
        ("", "no method ''"),
    ],
)
def test_what_is_no_recipe_is_refused(text, sentence):
    with pytest.raises(PlanError, match=sentence):
        parse_recipe(text)


def test_one_sparsity_is_not_shared_between_methods():
    with pytest.raises(PlanError, match=r"several methods without a sparsity.*polynomial:0\.9"):
        takes_levels("polynomial+structured-norm")


def test_every_method_can_be_done():
    assert _DO.keys() == METHODS.keys()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("movement:0.95", "movement"),
        ("polynomial+cluster-16", "polynomial+cluster-16"),
        ("width:0.9+polynomial:0.5", "width:0.9+polynomial:0.5"),
        ("qat", "qat"),
    ],
)
def test_a_level_is_named_by_its_method(text, name):
    assert method_name(text) == name
