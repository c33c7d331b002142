"""What the viewer can choose on the first page, and where the page opens."""

from __future__ import annotations

import functools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import pandas as pd

from dashboard import format as write
from dashboard.address import Field
from dashboard.studies import Figures, Study, read_files, read_groups
from dashboard.theme import METHODS, PRECISIONS, in_order
from edac_core.compress import REFERENCE_PRECISION
from edac_core.studies import BASELINE
from edac_core.studies.select import CONFIGURATION, curve, over_runs, smallest_within

TOLERATED_LOSS = 0.01
"""The page opens at the smallest variant that loses no more AUC than this."""

START_HELP = (
    "The variant that comes out best of many on one set of test recordings owes some of that to "
    "chance; expect a little less on new recordings."
)


def _same_per_cent(written: str, asked: str) -> bool:
    try:
        return math.isclose(float(written), float(asked.rstrip(" %")), abs_tol=1e-9)
    except ValueError:
        return False


STUDY = Field("study", "study")
MODEL = Field("model", "model")
PRECISION = Field("precision", "precision")
METHOD = Field("method", "method")
SPARSITY = Field("sparsity", "sparsity", write.per_cent_in_address, _same_per_cent)
RUN = Field("run", "run")
FIELDS = (STUDY, MODEL, PRECISION, METHOD, SPARSITY, RUN)


@dataclass(frozen=True)
class Network:
    """One network of a study: what can be chosen of it, and its figures.

    What is derived is computed once: the slider asks for it again and again.
    """

    study: Study
    figures: Figures
    model: str

    @property
    def key(self) -> tuple[str, ...]:
        """What distinguishes this network, as it stands now, from all others."""
        return (self.study.shelf.folder, self.study.shelf.version, self.study.name, self.model)

    @functools.cached_property
    def summary(self) -> pd.DataFrame:
        """The network's variants, averaged over runs."""
        summary = self.figures.summary
        return summary[summary["model"] == self.model]

    @property
    def methods(self) -> list[str]:
        """Methods by which it was pruned, or the baseline alone."""
        found = set(self.summary["method"].unique()) - {BASELINE}
        return in_order(found, METHODS) or [BASELINE]

    @property
    def precisions(self) -> list[str]:
        """Precisions in which it was stored."""
        return in_order(self.summary["precision"].unique(), PRECISIONS)

    @functools.cached_property
    def measured(self) -> pd.DataFrame:
        """The network's variants, one row a run, as `Store.figures` has them.

        Its column ``label`` is that of the row of the summary which they are averaged in.
        """
        variants = self.figures.variants
        return self._labelled(variants[variants["model"] == self.model])

    @functools.cached_property
    def runs(self) -> list[tuple[int, int]]:
        """Its pairs of split seed and training seed."""
        seeds = self.measured[["split_seed", "training_seed"]].drop_duplicates()
        return sorted(seeds.itertuples(index=False, name=None))

    @property
    def run_titles(self) -> dict[str, str]:
        """What its runs are called, by their number as the address has it."""
        return {
            str(number): f"Run {number} (split {split}, seed {seed})"
            for number, (split, seed) in enumerate(self.runs, start=1)
        }

    @functools.cached_property
    def baseline(self) -> pd.Series | None:
        """The row of the float32 baseline, if it is finished."""
        found = self._rows(method=BASELINE, sparsity=0.0, precision=REFERENCE_PRECISION)
        return None if found.empty else found.iloc[0]

    @functools.cached_property
    def start(self) -> pd.Series:
        """The row at which the page opens."""
        kept = smallest_within(self.summary, loss=TOLERATED_LOSS)
        return (self.summary if kept.empty else kept).iloc[0]

    def levels(self, *, method: str, precision: str) -> list[float]:
        """Return the sparsities of one method, from 0 (the baseline) on."""
        if (method, precision) not in self._levels:
            found = self._curve(method, precision)["sparsity"]
            self._levels[method, precision] = [float(level) for level in found]
        return self._levels[method, precision]

    def curves(self, *, precision: str) -> dict[str, pd.DataFrame]:
        """Return the rows of each method by sparsity, from the baseline on."""
        return {method: self._curve(method, precision) for method in self.methods}

    def row(self, *, method: str, sparsity: float, precision: str) -> pd.Series:
        """Return the row of one variant; where a method has none at 0, that is the baseline."""
        wanted = method, sparsity, precision
        if wanted not in self._found:
            own = self._rows(method=method, sparsity=sparsity, precision=precision)
            if not len(own):
                own = self._rows(method=BASELINE, sparsity=sparsity, precision=precision)
            self._found[wanted] = own.iloc[0]
        return self._found[wanted]

    def labelled(self, label: int) -> pd.Series:
        """Return the row of the summary that has a label."""
        return self.summary[self.summary.index == label].iloc[0]

    def in_runs(self, *, worst: bool) -> pd.DataFrame:
        """Return what each configuration comes to over the runs, by its label in the summary.

        See `edac_core.studies.select.over_runs`.
        """
        return self._worst if worst else self._mean

    def jobs(self, row: pd.Series) -> list[str]:
        """Return the jobs, one a run, that yielded the variants of a row."""
        return list(self.measured["job"][self.measured["label"] == row.name])

    def measured_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of `measured` that some rows of the summary are means of."""
        return self.measured[self.measured["label"].isin(rows.index)]

    def files(self, row: pd.Series) -> pd.DataFrame:
        """Return the variants, one a run, that a row is the mean of, as `Store.variants` does.

        Raises
        ------
        StoreError
            If the store cannot be read.
        """
        if row.name not in self._files:
            every = read_files(self.study, self.jobs(row))
            found: pd.DataFrame = every[every["precision"] == row["precision"]]
            self._files[row.name] = found.reset_index(drop=True)
        return self._files[row.name]

    def present_files(self, row: pd.Series) -> dict[str, str]:
        """Return the digests of a row's files that are in the store, by the number of the run."""
        if row.name not in self._present:
            files = self.files(row).set_index(["split_seed", "training_seed"])
            here = files.loc[files["has_model"], "sha256"].to_dict()
            numbered = enumerate(self.runs, start=1)
            self._present[row.name] = {str(n): here[run] for n, run in numbered if run in here}
        return self._present[row.name]

    def groups(self, row: pd.Series) -> pd.DataFrame:
        """Return the AUC within each source of the variant in a row; raises as `files` does."""
        return read_groups(self.study, self.files(row))

    @functools.cached_property
    def _files(self) -> dict[Hashable, pd.DataFrame]:
        """What was read of rows, by their labels: a page asks several times for the same."""
        return {}

    @functools.cached_property
    def _present(self) -> dict[Hashable, dict[str, str]]:
        """What `present_files` found, by the rows' labels."""
        return {}

    @functools.cached_property
    def _found(self) -> dict[tuple[str, float, str], pd.Series]:
        """What `row` found."""
        return {}

    @functools.cached_property
    def _levels(self) -> dict[tuple[str, str], list[float]]:
        """What `levels` found: a page asks at every move of its slider."""
        return {}

    @functools.cached_property
    def _mean(self) -> pd.DataFrame:
        return self._labelled(over_runs(self.measured, worst=False)).set_index("label")

    @functools.cached_property
    def _worst(self) -> pd.DataFrame:
        return self._labelled(over_runs(self.measured, worst=True)).set_index("label")

    def _labelled(self, figures: pd.DataFrame) -> pd.DataFrame:
        labels = self.summary[CONFIGURATION].reset_index(names="label")
        return figures.merge(labels, on=CONFIGURATION)

    def _curve(self, method: str, precision: str) -> pd.DataFrame:
        return curve(
            self.summary,
            model=self.model,
            protocol=self.study.protocol,
            method=method,
            precision=precision,
        )

    def _rows(self, *, method: str, sparsity: float, precision: str) -> pd.DataFrame:
        return self.summary[
            (self.summary["method"] == method)
            & (self.summary["sparsity"] == sparsity)
            & (self.summary["precision"] == precision)
        ]


def default_method(network: Network) -> str:
    """Return the method at which the page opens."""
    method = str(network.start["method"])
    return method if method in network.methods else network.methods[0]


def default_level(network: Network, levels: Sequence[float]) -> float:
    """Return the level at which the page opens: the start's, or the closest there is."""
    return min(levels, key=lambda level: abs(level - float(network.start["sparsity"])))


def default_run(network: Network, row: pd.Series) -> str:
    """Return the run at which the page opens: the first whose file is in the store."""
    return next(iter(network.present_files(row)), "1")


def describe_start(network: Network) -> str:
    """Say in a sentence what the figures answer: how small one can go."""
    row = network.start
    name = write.literally(network.study.title_of(network.model))
    kind = " trained on synthetic recordings" if network.study.synthetic else ""
    if network.baseline is None or not row["auc_difference"] >= -TOLERATED_LOSS:
        return f"The float32 baselines of {name} are not finished yet, so nothing is compared."
    level = write.level(row["method"], row["sparsity"])
    return (
        f"The smallest {name} here{kind} that loses at most {TOLERATED_LOSS} AUC on average is "
        f"**{row['precision']}, {level}: {write.size(row['zip_bytes'])}, "
        f"{write.smaller(row['zip_ratio'])}**. :small[Chosen on these same test recordings.]"
    )


def describe_progress(network: Network) -> str | None:
    """Say in a sentence that a study is still growing; None if every variant has every run."""
    runs, most = network.summary["runs"], len(network.runs)
    behind = int((runs < most).sum())
    if not behind:
        return None
    return (
        f"{behind} of {len(runs)} variants do not have all {most} runs yet, so means along a line "
        "can rest on different runs; differences from the baseline are still taken within a run."
    )


def name_variant(row: pd.Series) -> str:
    """Name a variant in words: int8, polynomial 95 %."""
    return f"{row['precision']}, {write.level(row['method'], row['sparsity'])}"
