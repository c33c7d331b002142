"""Write the tables of results in README.md and docs/results.md: ``make results``.

The figures are read from the studies that come along, so that no page says what the store does
not; a test compares the pages with what this would write.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard import format as write
from dashboard.theme import model_title
from edac_core.compress import REFERENCE_PRECISION
from edac_core.errors import StoreError
from edac_core.locations import PROJECT, SHIPPED
from edac_core.papers import published_curve
from edac_core.studies import BASELINE
from edac_core.studies.select import CONFIGURATION, summarise_groups
from edac_core.studies.store import Store
from edac_core.studies.targets import TARGETS, Target, furthest
from edac_core.studies.trust import MARGIN
from edac_core.table import Wanted, table_of
from tools.markdown import table

PAGES = (PROJECT / "README.md", PROJECT / "docs" / "results.md")

_BLOCK = re.compile(r"(?<=<!-- results: )([a-z_ -]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)
_HEADINGS = (
    "variant", "AUC ± half its 95 % interval", "within sources: {groups}",
    "difference to float32, 95 % interval", "zip", "file", "latency (model alone)",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A configuration of a study, by what a table is to call it."""

    name: str
    method: str
    sparsity: float
    precision: str
    published: bool = False
    """Whether the paper's figures for it stand below."""


@dataclass(frozen=True)
class Shown:
    """A network of a study, and which of its variants a table has."""

    study: str
    model: str
    rows: tuple[Row, ...]


_UNPRUNED = (
    Row("float32, not pruned", BASELINE, 0, REFERENCE_PRECISION),
    Row("int8, not pruned", BASELINE, 0, "int8"),
)

_SQUEEZE = (
    *_UNPRUNED,
    Row("float32, 50 % constant", "constant", 0.5, REFERENCE_PRECISION),
    Row("float32, 90 % polynomial", "polynomial", 0.9, REFERENCE_PRECISION),
    Row("int8, 90 % polynomial", "polynomial", 0.9, "int8", published=True),
    Row("int8, 95 % polynomial", "polynomial", 0.95, "int8"),
    Row("int8, 99 % polynomial", "polynomial", 0.99, "int8"),
)

BEYOND = "beyond the papers"
TABLES = {
    "cnn": Shown("cnn", "cnn", (
        *_UNPRUNED,
        Row("int8, 90 % polynomial", "polynomial", 0.9, "int8"),
        Row("int8, 95 % polynomial", "polynomial", 0.95, "int8", published=True),
        Row("int8, 99 % polynomial", "polynomial", 0.99, "int8"),
        Row("int8, 99 % constant", "constant", 0.99, "int8"),
    )),
    "cnn-lstm": Shown("cnn-lstm", "cnn_lstm", (
        *_UNPRUNED,
        Row("int8, 50 % polynomial", "polynomial", 0.5, "int8"),
        Row("int8, 80 % polynomial", "polynomial", 0.8, "int8"),
        Row("int8, 90 % polynomial", "polynomial", 0.9, "int8"),
        Row("int8, 95 % polynomial", "polynomial", 0.95, "int8", published=True),
        Row("int8, 99 % polynomial", "polynomial", 0.99, "int8"),
    )),
    "dense a": Shown("dense", "dense_a", _SQUEEZE),
    "dense b": Shown("dense", "dense_b", _SQUEEZE),
    "dense c": Shown("dense", "dense_c", _SQUEEZE),
    "cnn smaller": Shown("cnn-smaller", "cnn", (
        *_UNPRUNED,
        Row("`width-distilled`, 99.25 % fewer weights, int8", "width-distilled", 0.9925, "int8"),
        Row("`width`, 99.25 %, int8", "width", 0.9925, "int8"),
        Row("`width-distilled`, 99.25 %, int4_weights", "width-distilled", 0.9925, "int4_weights"),
        Row("`structured-taylor`, 99 %, int8", "structured-taylor", 0.99, "int8"),
        Row("`polynomial`, 98 %, int8 (magnitude pruning)", "polynomial", 0.98, "int8"),
    )),
    "cnn methods": Shown("cnn-methods", "cnn", (
        *_UNPRUNED,
        Row("`polynomial`, 98 %, int8 (magnitude pruning)", "polynomial", 0.98, "int8"),
        Row("the same, then `compaction`", "polynomial+compaction", 0.98, "int8"),
        Row("the same, then `cluster-16`", "polynomial+cluster-16", 0.98, "int8"),
        Row(
            "`structured-taylor`, 95 %, then `polynomial` of half the rest, int8",
            "structured-taylor:0.95+polynomial:0.5", 0.975, "int8",
        ),
        Row("`cluster-16`, int8", "cluster-16", 0, "int8"),
        Row("`block`, 90 %, float32", "block", 0.9, "float32"),
        Row("`qat`, int8_full", "qat", 0, "int8_full"),
        Row("`movement`, 98 %, int8", "movement", 0.98, "int8"),
        Row("`sensitive`, 98 %, int8", "sensitive", 0.98, "int8"),
    )),
    "cnn-lstm smaller": Shown("cnn-lstm-smaller", "cnn_lstm", (
        *_UNPRUNED,
        Row(
            "`width-distilled`, 99 % fewer weights, int4_weights",
            "width-distilled", 0.99, "int4_weights",
        ),
        Row("`width-distilled`, 99 %, int8", "width-distilled", 0.99, "int8"),
        Row("`structured-taylor`, 99 %, int8_full", "structured-taylor", 0.99, "int8_full"),
        Row("`rewritten` (exact), int8", "rewritten", 0, "int8"),
        Row("`rewritten` (exact), float32", "rewritten", 0, "float32"),
    )),
    "dense smaller": Shown("dense-smaller", "dense_a", (
        *_UNPRUNED,
        Row(
            "`structured-taylor`, 98 %, then `polynomial` of half the rest, int4_weights",
            "structured-taylor:0.98+polynomial:0.5", 0.99, "int4_weights",
        ),
        Row(
            "`width-distilled`, 98 %, then `polynomial` of half the rest, int4_weights",
            "width-distilled:0.98+polynomial:0.5", 0.99, "int4_weights",
        ),
        Row("`width-distilled`, 98 %, int8", "width-distilled", 0.98, "int8"),
        Row("`width`, 98.4 %, int4_weights", "width", 0.984, "int4_weights"),
    )),
}  # fmt: skip


_BEYOND_HEADINGS = (
    "network", "variant", "AUC less the unpruned float32 network's, 95 % interval",
    "zip, times smaller: here / paper", "file: here / paper", "latency, times faster: here / paper",
)  # fmt: skip


def main() -> None:
    """Write the tables into the pages."""
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8")), "utf-8")


def filled(text: str) -> str:
    """Return a page with the tables that its marks ask for."""
    with closing(Store(SHIPPED, readonly=True)) as store:

        def fill(found: re.Match[str]) -> str:
            name = found[1]
            made = _beyond(store) if name == BEYOND else _table(store, TABLES[name])
            return f"{name}{found[2]}\n{made}\n\n"

        return _BLOCK.sub(fill, text)


def _table(store: Store, shown: Shown) -> str:
    figures = table_of(store, shown.study, Wanted(margin=MARGIN, means=True))
    variants = store.variants(shown.study)
    within = summarise_groups(store.groups(shown.study), variants)
    groups = " / ".join(sorted(within["group"].unique()))
    headings = [heading.format(groups=groups) for heading in _HEADINGS]
    basis = f"{_basis(store, shown, variants)} {_sources(within)} {_timed_on(store, shown.study)}"
    return "\n\n".join([basis, table(headings, _rows(shown, figures, within))])


def _basis(store: Store, shown: Shown, variants: pd.DataFrame) -> str:
    """Say what the figures are means of."""
    facts = _facts(store, shown.study)
    of_model = variants[variants["model"] == shown.model]
    runs = of_model.groupby(["split_seed", "training_seed"]).ngroups
    (protocol,) = of_model["protocol"].unique()
    return (
        f"Study `{shown.study}`, {facts['dataset']}, protocol `{protocol}`: {_runs(runs)} "
        f"{facts['sets']['test']} test recordings of {facts['recordings']}"
    )


def _runs(count: int) -> str:
    return "one run, with" if count == 1 else f"means over {count} runs, each with its own"


def _sources(within: pd.DataFrame) -> str:
    """Say how many recordings the figures within each source rest on."""
    counts = within.groupby("group")[["n", "positives"]].mean().round().astype(int)
    each = [
        f"{n} from {group}, {positives} of them positive"
        for group, n, positives in counts.itertuples()
    ]
    return f"({'; '.join(each)})."


def _timed_on(store: Store, study: str) -> str:
    """Name the processor, as milliseconds can be compared on one alone."""
    processors = sorted({machine["cpu"] for machine in store.latencies(study)["machine"]})
    return f"Latency: {', '.join(processors)}, one thread."


def _facts(store: Store, study: str) -> dict[str, Any]:
    studies = store.studies()
    (facts,) = studies.loc[studies["name"] == study, "data"].tolist()
    return dict(facts)


def _rows(shown: Shown, figures: pd.DataFrame, within: pd.DataFrame) -> Iterator[list[str]]:
    for row in shown.rows:
        identity = (shown.model, row.method, row.sparsity, row.precision)
        figure, groups = _of(figures, identity).iloc[0], _of(within, identity)
        yield [row.name, *_measured(figure, groups)]
        if row.published:
            yield _published(row, shown.model)


def _of(frame: pd.DataFrame, identity: tuple[str, str, float, str]) -> pd.DataFrame:
    names = [name for name in CONFIGURATION if name != "protocol"]
    wanted = pd.Series(identity, index=names)
    return frame[frame[names].eq(wanted).all(axis="columns")]


def _measured(figure: pd.Series, groups: pd.DataFrame) -> list[str]:
    of = groups.sort_values("group")
    return [
        write.auc(figure["auc"], figure["auc_half_width"]),
        " / ".join(itertools.starmap(write.auc, zip(of["auc"], of["auc_half_width"], strict=True))),
        _difference(figure),
        _beside(write.size(figure["zip_bytes"]), figure["zip_ratio"]),
        _beside(write.size(figure["raw_bytes"]), figure["raw_ratio"]),
        _beside(write.milliseconds(figure["latency_ms"]), figure["speedup"]),
    ]


def _difference(figure: pd.Series) -> str:
    if figure["verdict"] == "":
        return ""
    return _change(*(figure[f"auc_difference{bound}"] for bound in ("", "_low", "_high")))


def _change(mean: float, low: float, high: float) -> str:
    return f"{write.difference(mean)} ({write.interval(low, high)})"


def _published(row: Row, model: str) -> list[str]:
    """Write a paper's own figures, which come from other recordings."""
    curve = published_curve(model, row.method, row.precision)
    figure = curve[curve["sparsity"] == row.sparsity].iloc[0]
    timed = _beside(write.milliseconds(figure["latency_ms"]), figure["speedup"])
    cells = [
        f"{figure['paper']}'s own figures for it",
        f"UAR {figure['uar']:.2f}" if pd.isna(figure["auc"]) else write.auc(figure["auc"]), "", "",
        _beside(write.size(figure["zip_bytes"]), figure["zip_ratio"]), "",
        "" if pd.isna(figure["speedup"]) else timed,
    ]  # fmt: skip
    return [cell and f"*{cell}*" for cell in cells]


def _beyond(store: Store) -> str:
    return table(_BEYOND_HEADINGS, [_furthest(store, target) for target in TARGETS])


def _furthest(store: Store, target: Target) -> list[str]:
    """Write the variant that gets furthest past a paper in sizes and latency at once."""
    found = furthest([store], target)
    if found is None:
        raise StoreError(f"No shipped study has what the target of {target.model} asks for.")
    row: Any = found.row
    change = found.reached.difference
    sizes = (row["zip_ratio"], row["raw_ratio"], row["speedup"])
    return [
        model_title(target.model),
        f"`{row['method']}`, {write.per_cent(row['sparsity'])} fewer weights, {row['precision']}",
        _change(change.difference, change.low, change.high),
        *(
            f"{_times(here)} / {_times(paper) if paper else 'not said'}"
            for here, paper in zip(sizes, target.published, strict=True)
        ),
    ]


def _beside(written: str, ratio: float) -> str:
    return f"{written}, {_times(ratio)}"


def _times(ratio: float) -> str:
    return f"{float(f'{ratio:.3g}'):,.10g}x"


if __name__ == "__main__":
    main()
