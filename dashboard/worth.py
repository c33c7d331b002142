"""What the figures are worth: stands wherever a score is shown."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import format as write
from dashboard.studies import Study

DISCLAIMER = "Research, not a diagnosis."
_PROTOCOLS = {
    "clean": "no known participant, and no copy of a recording, is in two sets, and only training "
    "recordings are augmented",
    "paper": "as each network's paper did it. EDAC's is optimistic: test recordings are augmented "
    "class by class",
}


def worth_of(study: Study, groups: pd.DataFrame) -> str:
    """Say in one paragraph what a variant's scores rest on.

    Parameters
    ----------
    study : Study
        Where the scores come from.
    groups : DataFrame
        The variant's rows of `edac_core.studies.select.summarise_groups`.
    """
    sentences = [f"{_tested(study, groups)}, {study.protocol} protocol."]
    if not groups.empty:
        sentences.append(f"AUC within source: {_within(groups)}.")
    sentences.append(f"**{DISCLAIMER}**")
    return " ".join(sentences)


def describe_protocol(study: Study) -> str:
    """Say in a sentence what a study's protocol is."""
    meaning = _PROTOCOLS.get(study.protocol)
    return f"Protocol {study.protocol}" + (f": {meaning}." if meaning else ".")


def draw_worth(study: Study, groups: pd.DataFrame) -> None:
    """Draw that paragraph, and say plainly where recordings are synthetic."""
    badge = ":orange-badge[Synthetic recordings: the scores say nothing of coughs] "
    st.markdown(f"{badge if study.synthetic else ''}:small[{worth_of(study, groups)}]")


def _tested(study: Study, groups: pd.DataFrame) -> str:
    """Say on how much scores rest; augmented copies are no recordings of their own."""
    examples = f"{groups['n'].sum():.0f}" if len(groups) else "An unknown number of"
    return f"{examples} test {'recordings' if study.protocol == 'clean' else 'examples'}"


def _within(groups: pd.DataFrame) -> str:
    return ", ".join(_group(row) for _, row in groups.iterrows())


def _group(row: pd.Series) -> str:
    known = pd.notna(row["auc"])
    auc = write.auc(row["auc"], row["auc_half_width"]) if known else "unknown (one class only)"
    return f"{write.literally(str(row['group']))} {auc} (n = {row['n']:.0f})"
