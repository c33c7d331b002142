"""What an audit says, in figures, tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dashboard import format as write
from dashboard.auditing.audits import Audited
from dashboard.metrics import Cell
from edac_core.datasets import Dataset
from edac_core.datasets.audit import CLIPPED_SHARE

MISSING_FILE = "missing file"
LABEL_NAMES = {0: "negative", 1: "positive"}
_CHANNELS = {1: "mono", 2: "stereo"}

_USABLE_HELP = (
    "Recordings that a study would learn from and test on: decodable, not silent, not too short, "
    "each sound once, and with one label."
)
_LEFT_OUT_HELP = "Recordings that no study uses; the chart and the players below say why."
_LENGTH_HELP = "Median duration of the usable recordings."
_CLIPPED_HELP = (
    f"Usable recordings with more than {write.per_cent(CLIPPED_SHARE)} of their samples at full "
    "scale: the microphone or the encoder was overdriven. They are flagged and kept."
)
_PEOPLE_HELP = (
    "Where it is not known who coughs, the same person can be in the training set and in the test "
    "set, and a network can score by recognising people."
)


def cells(audited: Audited) -> tuple[Cell, ...]:
    """Return the row of figures."""
    usable = audited.audit.usable
    return (
        _usable(audited),
        _positive(usable),
        _left_out(left_out(audited), of=_listed(audited.dataset)),
        _durations(usable),
        _clipped(usable),
        _people(usable),
    )


def left_out(audited: Audited) -> dict[str, int]:
    """Count what is not used by reason, both what was listed in vain and what was heard."""
    found = audited.audit.summary()
    del found["usable"]
    for reason, n in audited.dataset.dropped["reason"].value_counts().items():
        found[str(reason)] = found.get(str(reason), 0) + int(n)
    return found


def describe(dataset: Dataset) -> str:
    """Say whose recordings these are, and whether they are all there."""
    kind = "Made by a program: nothing here is known of people." if dataset.synthetic else ""
    notes = [write.literally(note) for note in dataset.notes]
    licence = f"Licence: {write.literally(dataset.licence)}."
    title = f"**{write.literally(dataset.title)}**."
    return " ".join(part for part in (title, kind, licence, _whole(dataset), *notes) if part)


def describe_predictors(table: pd.DataFrame) -> str:
    """Say why it matters what predicts the label.

    Parameters
    ----------
    table
        As for `dashboard.charts.audit.predictors`.
    """
    known = table.dropna(subset="auc")
    if known.empty:
        return ""
    best = known.sort_values("auc", ascending=False, kind="stable").iloc[0]
    return (
        "A classifier that hears these need not hear the disease. Whoever knows nothing but the "
        f"{best['property']} of a recording gets an AUC of {write.auc(best['auc'])}: a network has "
        "to beat that, and to hold up within each source."
    )


def describe_facts(data: Mapping[str, Any]) -> list[str]:
    """Say what a study knows of a data set that is not here, a sentence a fact."""
    sentences = [f"**{write.literally(str(data.get('title', data['dataset'])))}**."]
    n, positives = data["recordings"], data.get("positives")
    share = "" if positives is None else f", {positives:,} of them positive"
    sentences.append(f"{n:,} usable recordings{share}.")
    for noun, key in (("Sources", "groups"), ("Left out", "dropped")):
        if counts := data.get(key):
            sentences.append(f"{noun}: {write.literally(listed(counts))}.")
    if licence := data.get("licence"):
        sentences.append(f"Licence: {write.literally(licence)}.")
    return [*sentences, *(write.literally(note) for note in data.get("notes", []))]


def facts_table(data: Mapping[str, Any]) -> pd.DataFrame:
    """Return what a study knows of predictors, as `edac_core.datasets.audit.metadata_auc` does."""
    known = data.get("metadata_auc", {})
    return pd.DataFrame({"property": list(known), "auc": list(known.values())})


def seconds(value: float) -> str:
    """Write a duration.

    >>> seconds(1.8089), seconds(88.9), seconds(3209)
    ('1.8 s', '89 s', '53 min')
    """
    minute, ten = 60, 9.95
    if value < ten:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 2 * minute else f"{value / minute:,.0f} min"


def listed(counts: Mapping[Any, int]) -> str:
    """Write what there is and how often, the most frequent first: "8 kHz (615), 48 kHz (344)"."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} ({n:,})" for name, n in ordered)


def channels(n: float) -> str:
    """Write a number of channels."""
    return _CHANNELS.get(int(n), f"{n:.0f} channels")


def _whole(dataset: Dataset) -> str:
    missing = int((dataset.dropped["reason"] == MISSING_FILE).sum())
    of = _listed(dataset)
    if missing:
        return f"Not whole: {missing:,} of {of:,} listed recordings have no file here."
    return f"All {of:,} listed recordings have a file here."


def _listed(dataset: Dataset) -> int:
    return len(dataset.recordings) + len(dataset.dropped)


def _usable(audited: Audited) -> Cell:
    n, of = len(audited.audit.usable), _listed(audited.dataset)
    share = f"{_per_cent(n / of)} of {of:,} listed"
    return Cell("Usable recordings", f"{n:,}", share, "gray", _sources(audited), _USABLE_HELP)


def _sources(audited: Audited) -> str:
    n = audited.audit.usable["group"].nunique()
    return f"from {n} {'source' if n == 1 else 'sources'}"


def _positive(usable: pd.DataFrame) -> Cell:
    n = int(usable["label"].sum())
    value = _per_cent(n / len(usable)) if len(usable) else "none"
    return Cell("Positive", value, f"{n:,} positive", "gray", f"{len(usable) - n:,} negative",
                "The share of usable recordings whose label is positive.")  # fmt: skip


def _left_out(counts: Mapping[str, int], *, of: int) -> Cell:
    total = sum(counts.values())
    most = max(counts, key=counts.__getitem__, default="")
    note = f"{counts[most]:,} {most}" if most else "every one is used"
    share = f"{_per_cent(total / of)} of the listed"
    return Cell("Left out", f"{total:,}", share, "gray", note, _LEFT_OUT_HELP)


def _durations(usable: pd.DataFrame) -> Cell:
    if usable.empty:
        return Cell("Typical length", "none", "no recording", "gray", "", _LENGTH_HELP)
    lengths = usable["seconds"]
    span = f"{seconds(lengths.min())} to {seconds(lengths.max())}"
    note = f"{seconds(lengths.sum())} in all"
    return Cell("Typical length", seconds(lengths.median()), span, "gray", note, _LENGTH_HELP)


def _clipped(usable: pd.DataFrame) -> Cell:
    n = int(usable["clipped"].sum())
    share = f"{_per_cent(n / len(usable))} of the usable" if len(usable) else "of none"
    return Cell("Clipped", f"{n:,}", share, "gray", "flagged and kept", _CLIPPED_HELP)


def _people(usable: pd.DataFrame) -> Cell:
    n = usable["participant"].nunique()
    change = f"{len(usable) / n:.1f} recordings each" if n else "nobody is named"
    note = "kept in one set each" if n else "one may be in two sets"
    return Cell("People", f"{n:,}" if n else "unknown", change, "gray", note, _PEOPLE_HELP)


def _per_cent(share: float) -> str:
    return write.per_cent(round(share, 3))
