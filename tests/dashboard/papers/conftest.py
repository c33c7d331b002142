"""Made-up studies as the page on the papers reads them."""

import dataclasses

import pytest

from dashboard.papers.claims import Shown, read_studies
from dashboard.studies import find_studies
from edac_core.papers import PUBLISHED_MODELS


@pytest.fixture
def shown(stores, made_up):
    stores(shipped=made_up)
    studies, _ = find_studies()
    found, problems = read_studies(studies, PUBLISHED_MODELS)
    assert not problems
    return found


@pytest.fixture
def varied():
    """Give tests a study as if it had been run otherwise."""
    return _varied


def _varied(one, *, dataset="covid19-cough", protocol="clean", start=None, epochs=None, **more):
    plan = {
        **one.study.plan,
        "data": {"protocol": protocol, "dataset": dataset},
        "training": {"epochs": epochs},
        "compression": {"start": start or "baseline"},
    }
    study = dataclasses.replace(one.study, plan=plan, data={**one.study.data, "dataset": dataset})
    return Shown(study, one.summary.assign(**more))
