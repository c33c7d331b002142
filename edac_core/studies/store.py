"""What is known: studies, their jobs and variants in SQLite, model files beside it by content.

A store is a folder: ``studies.sqlite`` and ``models/<sha256>.tflite.xz``. One process writes (the
runner); any number read. A model file is on disk before the row that names it, so a reader sees a
variant whole or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from edac_core.errors import ModelError, StoreError
from edac_core.studies import schema

if TYPE_CHECKING:  # They import what computes and runs variants; a reader of figures needs neither.
    from edac_core.measure.discrimination import Decision, GroupAuc, Interval
    from edac_core.measure.latency import Latency
    from edac_core.measure.size import Size

_SUFFIX = ".tflite.xz"
_PART = ".part-"
_LOCK_SECONDS = 30.0
_FIGURE_NAMES = [
    "auc", "auc_low", "auc_high", "uar", "raw_bytes", "zip_bytes", "weights", "nonzero_weights",
    "latency_ms", "latency_p95_ms", "baseline_latency_ms",
]  # fmt: skip
_DESCRIBING = ["model", "method", "sparsity", "protocol", "split_seed", "training_seed"]
# What the method was called when there were none but schedules of magnitude pruning.
_SCHEDULE = "schedule"


@dataclass(frozen=True)
class Scores:
    """Scores of one variant, in the order of the split's validation and test recordings."""

    validation: npt.NDArray[np.float32]
    test: npt.NDArray[np.float32]


@dataclass(frozen=True)
class TestScores:
    """Labels of the examples a variant was tested on, and its score of each."""

    __test__ = False  # pytest takes the name for a test's.

    labels: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float32]


@dataclass(frozen=True)
class VariantResult:
    """One variant as a job leaves it: the file, its sizes, its scores and what they are worth.

    `packed` is the .tflite file as `edac_core.measure.size.pack` compressed it, `sha256` the
    digest of the file itself.
    """

    precision: str
    packed: bytes
    sha256: str
    size: Size
    scores: Scores
    auc: Interval
    groups: Mapping[str, GroupAuc]
    decision: Decision


@dataclass(frozen=True)
class JobResult:
    """What a finished job hands back: variants, final weights, history, cost.

    `refusals` says by precision why there is no variant; `achieved_sparsity` is the share of the
    full network's prunable weights that are no more.
    """

    variants: tuple[VariantResult, ...]
    achieved_sparsity: float
    seconds: float
    history: tuple[Mapping[str, float | None], ...] = ()
    weights: bytes | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    refusals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerChange:
    """What a network is worth on its validation set with one layer pruned and rounded.

    `weights` is how many prunable weights the layer has, `sparsity` the share of them that is set
    to zero, `precision` how the others are rounded; `auc_before` and `loss_before` are those of
    the whole network, `recordings` is the size of the validation set.
    """

    layer: str
    weights: int
    sparsity: float
    precision: str
    auc: float
    auc_before: float
    loss: float
    loss_before: float
    recordings: int


@dataclass(frozen=True)
class SplitRecord:
    """Which examples are in which set: the frame that scores are aligned to.

    `recordings` has columns recording, label, group, participant, set and copy (the augmentation
    of an example, empty for a recording as it is), and what is known of sex, age_band and device.
    """

    key: str
    seed: int
    recordings: pd.DataFrame


class Store:
    """A folder of studies.

    Parameters
    ----------
    folder
        Where the store is.
    readonly
        Open a finished store without writing beside it (as the shipped one); such a store must
        not be written to meanwhile.
    live
        With `readonly`: another process may be writing to the store.

    Raises
    ------
    StoreError
        If the store is missing (read-only), damaged, of another schema version, or cannot be
        written.
    """

    def __init__(self, folder: Path, *, readonly: bool = False, live: bool = False) -> None:
        self.folder = Path(folder)
        self.readonly = readonly
        self.live = live
        if readonly:
            self.refuse_absent(self.folder)
        with contextlib.ExitStack() as undoing, self._explained():
            if not readonly:
                self._models.mkdir(parents=True, exist_ok=True)
            self._database = self._connect()
            undoing.callback(self._database.close)
            self._check_version()
            if not readonly:
                self._prepare_for_writing()
            undoing.pop_all()

    DATABASE: ClassVar[str] = "studies.sqlite"

    @classmethod
    def exists(cls, folder: Path) -> bool:
        """Say whether there is a store in a folder."""
        return (Path(folder) / cls.DATABASE).is_file()

    @classmethod
    def refuse_absent(cls, folder: Path) -> None:
        """Raise StoreError if there is no store in a folder."""
        if not cls.exists(folder):
            raise _none_in(folder)

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self.folder / self.DATABASE

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Answer everything that is read meanwhile from one state of the store.

        Without it each method answers from the state at its own time. A writer goes on undisturbed;
        nothing may be written through this object meanwhile.
        """
        if self._database.in_transaction:
            yield
            return
        with self._database:
            self._database.execute("BEGIN")
            yield

    def copy_database(self, folder: Path) -> None:
        """Copy the database, whole and consistent, into another folder."""
        with (
            self._explained(),
            contextlib.closing(sqlite3.connect(folder / self.DATABASE)) as copy,
        ):
            self._database.backup(copy)

    def finish(self) -> None:
        """Fold the write-ahead log into the database, so that the store is one file again."""
        with self._explained():
            self._database.execute("PRAGMA journal_mode = DELETE")

    # -- writing ---------------------------------------------------------------------------

    def put_study(
        self, name: str, *, title: str, plan: Mapping[str, Any], data: Mapping[str, Any]
    ) -> None:
        """Write or replace what a study is: its plan and the facts of its data set."""
        with self._explained(), self._database:
            self._database.execute(
                "INSERT INTO studies VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "title = excluded.title, plan = excluded.plan, data = excluded.data",
                (name, title, _json(plan), _json(data), _now()),
            )

    def put_split(self, split: SplitRecord) -> None:
        """Write which recordings are in which set; known splits are left as they are."""
        rows = split.recordings.to_json(orient="split", index=False)
        with self._explained(), self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO splits VALUES (?, ?, ?)", (split.key, split.seed, rows)
            )

    def claim(self, study: str, keys: Iterable[str]) -> None:
        """Say which jobs belong to a study, and forget those that no longer do."""
        with self._explained(), self._database:
            self._database.execute("DELETE FROM study_jobs WHERE study = ?", (study,))
            self._database.executemany(
                "INSERT INTO study_jobs VALUES (?, ?)", ((study, key) for key in keys)
            )

    def put_job(
        self,
        key: str,
        config: Mapping[str, Any],
        split: str,
        result: JobResult,
        *,
        training: str | None = None,
    ) -> None:
        """Write a finished job and its variants: all of it or nothing.

        `training` is the key of what its weights come of, if other jobs may have the same.
        """
        with self._explained():
            for variant in result.variants:
                self._write_model(variant)
            with self._database:
                self._database.execute("DELETE FROM failures WHERE job = ?", (key,))
                self._database.execute(
                    "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        key,
                        split,
                        _json(config),
                        result.achieved_sparsity,
                        result.seconds,
                        _json(result.history),
                        result.weights,
                        _json(result.environment),
                        _now(),
                    ),
                )
                for variant in result.variants:
                    self._insert_variant(key, variant)
                self._database.executemany(
                    "INSERT INTO refusals VALUES (?, ?, ?)",
                    ((key, *refusal) for refusal in result.refusals.items()),
                )
                if training is not None:
                    self._database.execute(
                        "INSERT OR IGNORE INTO trainings VALUES (?, ?)", (training, key)
                    )

    def put_failure(self, key: str, config: Mapping[str, Any], reason: str) -> None:
        """Write why a job failed; the next run tries it again."""
        with self._explained(), self._database:
            self._database.execute(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)",
                (key, _json(config), reason, _now()),
            )

    def put_latencies(
        self, latencies: Mapping[str, Latency], *, baseline: str, machine: Mapping[str, Any]
    ) -> None:
        """Write latencies measured in one run with their baseline, by variant key."""
        reference = latencies[baseline].median_ms
        rows = [
            (key, _digest(_json(machine)), *_values(latency), reference, _json(machine), _now())
            for key, latency in latencies.items()
        ]
        with self._explained(), self._database:
            self._database.executemany(
                "INSERT OR REPLACE INTO latencies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def put_sensitivities(self, job: str, changes: Iterable[LayerChange]) -> None:
        """Write what changes of single layers do to a job's network, layers in their order."""
        with self._explained(), self._database:
            self._database.executemany(
                f"INSERT OR REPLACE INTO sensitivities VALUES ({', '.join('?' * 10)})",  # noqa: S608 - placeholders only
                ((job, *_values(change)) for change in changes),
            )

    # -- reading ---------------------------------------------------------------------------

    def studies(self) -> pd.DataFrame:
        """Return one row a study: name, title, plan and data (dicts), created."""
        frame = self._query("SELECT * FROM studies ORDER BY name")
        for column in ("plan", "data"):
            frame[column] = frame[column].map(json.loads)
        return frame

    def planned(self, study: str) -> int:
        """Return how many jobs a study has, done or not."""
        return len(self._query("SELECT job FROM study_jobs WHERE study = ?", (study,)))

    def progress(self) -> pd.DataFrame:
        """Return one row a study: study, finished, jobs and failed, which count its jobs."""
        return self._query(_PROGRESS)

    def finished(self, keys: Iterable[str]) -> set[str]:
        """Return which of these jobs are done."""
        known = set(self._query("SELECT key FROM jobs")["key"])
        return known & set(keys)

    def figures(self, study: str) -> pd.DataFrame:
        """Return what means over runs are made of, one row a variant of a study.

        It is `variants` with fewer columns, and takes a third of the time: job, model, method,
        sparsity, precision, protocol, split_seed, training_seed, auc, auc_low, auc_high, uar,
        raw_bytes, zip_bytes, weights, nonzero_weights, latency_ms, latency_p95_ms and
        baseline_latency_ms.
        """
        with self.snapshot(), self._explained():
            jobs = self._configurations(study)
            found = self._database.execute(_FIGURES, (study,)).fetchall()
        # One matrix of numbers is much sooner made than columns of types to be guessed.
        shape = len(found), 1 + len(_FIGURE_NAMES)
        numbers = np.array([row[1:] for row in found], dtype=float).reshape(shape)
        figures = pd.DataFrame(numbers[:, 1:], columns=_FIGURE_NAMES)
        figures.insert(0, "precision", pd.Series([row[0] for row in found], dtype="str"))
        position = np.searchsorted(jobs["number"], numbers[:, 0])
        described = jobs.drop(columns="number").iloc[position].reset_index(drop=True)
        return pd.concat([described, figures], axis=1)

    def variants(self, study: str, *, jobs: Iterable[str] | None = None) -> pd.DataFrame:
        """Return one row a variant of a study, or of some of its jobs.

        Columns: key, job, split, model, method ("none" for baselines), sparsity (the plan's
        target, a fraction), achieved_sparsity, precision, protocol, split_seed, training_seed,
        auc, auc_low, auc_high, threshold, sensitivity, specificity, uar, raw_bytes, zip_bytes,
        xz_bytes, weights, nonzero_weights, sha256, latency_ms, latency_p95_ms and
        baseline_latency_ms (NaN where not measured), has_model (the file is here).
        """
        chosen = "" if jobs is None else _OF_JOBS
        keys = () if jobs is None else (_json(list(jobs)),)
        # Where nothing is measured yet, a column is all None and would not be one of numbers.
        frame = self._query(_VARIANTS.format(chosen=chosen), (study, *keys)).astype(_MEASURED_LATER)
        models = str(self._models)
        frame["has_model"] = [
            os.access(f"{models}/{sha}{_SUFFIX}", os.R_OK) for sha in frame["sha256"]
        ]
        return frame

    def groups(self, study: str, *, jobs: Iterable[str] | None = None) -> pd.DataFrame:
        """Return the AUC of each variant within each group of the test set.

        Columns: variant, group, n, positives, auc, auc_low, auc_high (NaN where a group has one
        class only); of all jobs of a study, or of some.
        """
        chosen = "" if jobs is None else _OF_JOBS
        keys = () if jobs is None else (_json(list(jobs)),)
        return self._query(_GROUPS.format(chosen=chosen), (study, *keys)).astype(
            _ONE_CLASS_HAS_NONE
        )

    def refusals(self, study: str) -> pd.DataFrame:
        """Return the variants that a study's finished jobs could not make, and why.

        Columns: job, model, method, sparsity, protocol, split_seed, training_seed, precision,
        reason. A store that nobody has written to since there are refusals has none.
        """
        found = pd.DataFrame(columns=["job", "precision", "reason"])
        with self.snapshot():
            if self._has_table("refusals"):
                found = self._query(
                    "SELECT job, precision, reason FROM refusals JOIN study_jobs USING (job) "
                    "WHERE study = ? ORDER BY job, precision",
                    (study,),
                )
            jobs = self._configurations(study).drop(columns="number")
        return jobs.merge(found, on="job")

    def sensitivities(self, study: str) -> pd.DataFrame:
        """Return what changes of single layers do to the baselines of a study.

        Columns: job, model, method, sparsity_of_job, protocol, split_seed, training_seed, and
        those of `LayerChange`; layers in the network's order. A store that nobody has written to
        since this is measured has none.
        """
        found = pd.DataFrame(columns=["job", *(item.name for item in fields(LayerChange))])
        with self.snapshot():
            if self._has_table("sensitivities"):
                found = self._query(
                    "SELECT sensitivities.* FROM sensitivities JOIN study_jobs USING (job) "
                    "WHERE study = ? ORDER BY sensitivities.rowid",
                    (study,),
                )
            jobs = self._configurations(study).drop(columns="number")
        return found.merge(jobs, on="job", suffixes=("", "_of_job"))

    def failures(self, study: str) -> pd.DataFrame:
        """Return job, config, reason and when of the jobs that failed."""
        return self._query(
            "SELECT failures.* FROM failures JOIN study_jobs USING (job) "
            'WHERE study = ? ORDER BY "when"',
            (study,),
        )

    def jobs(self, study: str) -> pd.DataFrame:
        """Return key, config (dict), seconds, history and environment of the finished jobs."""
        frame = self._query(
            "SELECT key, split, config, achieved_sparsity, seconds, history, environment, created "
            "FROM jobs JOIN study_jobs ON study_jobs.job = jobs.key "
            "WHERE study = ? ORDER BY created, key",
            (study,),
        )
        for column in ("config", "history", "environment"):
            frame[column] = frame[column].map(json.loads)
        return frame

    def costs(self) -> pd.DataFrame:
        """Return what every finished job of every study took, oldest first.

        Columns: study (missing if no study has the job any more), key, split, config (dict),
        seconds, epochs (those that were trained), training_examples (missing of splits that were
        recorded before there were copies), cpu, cores.
        """
        with self.snapshot():
            frame = self._query(_COSTS)
            examples = self._training_examples()
        frame["config"] = frame["config"].map(json.loads)
        frame["training_examples"] = frame["split"].map(examples)
        return frame

    def _training_examples(self) -> dict[str, int | None]:
        splits = self._query("SELECT key, recordings FROM splits")
        tables = {
            key: pd.DataFrame(**json.loads(rows))
            for key, rows in zip(splits["key"], splits["recordings"], strict=True)
        }
        return {
            key: int((table["set"] == "train").sum()) if "copy" in table else None
            for key, table in tables.items()
        }

    def latencies(self, study: str) -> pd.DataFrame:
        """Return every latency measurement of a study's variants, with the machine as a dict."""
        frame = self._query(_LATENCIES, (study,))
        frame["machine"] = frame["machine"].map(json.loads)
        return frame

    def measured_on(self, machine: Mapping[str, Any]) -> set[str]:
        """Return the keys of the variants whose latency on a machine is known."""
        found = self._query(
            "SELECT variant FROM latencies WHERE machine_id = ?", (_digest(_json(machine)),)
        )
        return set(found["variant"])

    def variants_of(self, jobs: Iterable[str]) -> list[str]:
        """Return the keys of the variants of jobs, job by job."""
        found = self._query(
            "SELECT variants.key FROM json_each(?) AS asked JOIN variants ON job = asked.value "
            "ORDER BY asked.key, variants.rowid",
            (_json(list(jobs)),),
        )
        return list(found["key"])

    def raw_bytes(self, variants: Iterable[str]) -> dict[str, int]:
        """Return the size of the model files of variants, by key."""
        found = self._query(
            "SELECT key, raw_bytes FROM variants WHERE key IN (SELECT value FROM json_each(?))",
            (_json(list(variants)),),
        )
        return {key: int(size) for key, size in found.itertuples(index=False)}

    def has_model(self, variant: str) -> bool:
        """Say whether the model file of a variant, by its key, is here."""
        found = self._query("SELECT sha256 FROM variants WHERE key = ?", (variant,))
        return any(self.model_path(sha256).exists() for sha256 in found["sha256"])

    def model_of(self, variant: str) -> bytes:
        """Return the model file of a variant by its key; see `model`."""
        found = self._query("SELECT sha256 FROM variants WHERE key = ?", (variant,))
        if found.empty:
            raise StoreError(f"The store in {self.folder} has no variant {variant!r}.")
        return self.model(str(found.iloc[0]["sha256"]))

    def test_scores(self, variants: Iterable[str]) -> dict[str, TestScores]:
        """Return what variants, by key, answered on the examples they were tested on.

        It reads many at once, where `scores` reads one with all that is known of the examples.
        """
        with self.snapshot():
            found = self._query(_TEST_SCORES, (_json(list(variants)),))
            labels = {split: self._test_labels(split) for split in found["split"].unique()}
        answers = {
            key: TestScores(labels[split], np.frombuffer(scores, dtype="<f4"))
            for key, split, scores in found.itertuples(index=False)
        }
        for key, answer in answers.items():
            if len(answer.scores) != len(answer.labels):
                raise self._other_scores(key)
        return answers

    def scores(self, variant: str) -> pd.DataFrame:
        """Return the scores of a variant.

        Columns: recording, label, group, participant, set ("validation" or "test"), copy, score.

        Raises
        ------
        StoreError
            If there is no such variant, or its scores are not those of its split.
        """
        found = self._query(
            "SELECT validation_scores, test_scores, recordings FROM variants "
            "JOIN jobs ON jobs.key = variants.job JOIN splits ON splits.key = jobs.split "
            "WHERE variants.key = ?",
            (variant,),
        )
        if found.empty:
            raise StoreError(f"The store in {self.folder} has no variant {variant!r}.")
        row = found.iloc[0]
        # Splits recorded before there were copies have no such column.
        recordings = pd.DataFrame({"copy": "", **pd.DataFrame(**json.loads(row["recordings"]))})
        parts = []
        for name in ("validation", "test"):
            part = recordings[recordings["set"] == name].reset_index(drop=True)
            scores = np.frombuffer(row[f"{name}_scores"], dtype="<f4")
            if len(scores) != len(part):
                raise self._other_scores(variant)
            parts.append(part.assign(score=scores))
        return pd.concat(parts, ignore_index=True)

    def sets(self, split: str) -> dict[str, str]:
        """Return the set of each recording of a split: "train", "validation" or "test".

        A recording that is in several sets, as copies of it can be, is said to be in the first of
        them. The mapping is empty if there is no such split.
        """
        found = self._query("SELECT recordings FROM splits WHERE key = ?", (split,))
        if found.empty:
            return {}
        recordings = pd.DataFrame(**json.loads(found.iloc[0]["recordings"]))
        set_of: dict[str, str] = {}
        for name in ("test", "validation", "train"):
            of_set = recordings.loc[recordings["set"] == name, "recording"]
            set_of |= dict.fromkeys(of_set, name)
        return set_of

    def trained(self, training: str) -> str | None:
        """Return the job that has the weights which come of a training, if one is here."""
        found = self._query(
            "SELECT job FROM trainings JOIN jobs ON jobs.key = trainings.job "
            "WHERE trainings.key = ? AND weights IS NOT NULL",
            (training,),
        )
        return None if found.empty else str(found.iloc[0]["job"])

    def weights(self, job: str) -> bytes | None:
        """Return the final weights of a job that others start from, as it handed them back."""
        found = self._query("SELECT weights FROM jobs WHERE key = ?", (job,))
        return None if found.empty else found.iloc[0]["weights"]

    def model(self, sha256: str) -> bytes:
        """Return a model file by its digest, checked against it.

        Of a store that may be written to, the file's time of modification says when it was last
        used; see `edac_core.studies.eviction`.

        Raises
        ------
        StoreError
            If the file is not here, or is damaged.
        """
        from edac_core.measure.size import unpack  # noqa: PLC0415 - see above

        path = self.model_path(sha256)
        try:
            data = unpack(path.read_bytes())
        except FileNotFoundError:
            forget = "" if self._is_finished else "edac cache forget STUDY, then "
            raise StoreError(
                f"The model file {sha256[:12]} is not in {self.folder}; {forget}"
                "run the study's plan to make it."
            ) from None
        except (ModelError, OSError) as error:
            raise StoreError(self._damaged(path)) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(self._damaged(path))
        if not self._is_finished:
            with contextlib.suppress(OSError):
                os.utime(path)
        return data

    # -- inside ----------------------------------------------------------------------------

    @property
    def _is_finished(self) -> bool:
        return self.readonly and not self.live

    @property
    def _models(self) -> Path:
        return self.folder / "models"

    def model_path(self, sha256: str) -> Path:
        """Return where a model file is, or would be."""
        return self._models / f"{sha256}{_SUFFIX}"

    @staticmethod
    def _damaged(path: Path) -> str:
        return (
            f"The model file {path} is damaged; delete it by edac cache check --repair and run the "
            "study's plan again."
        )

    def _connect(self) -> sqlite3.Connection:
        if self.readonly:
            uri = f"{self.path.resolve().as_uri()}?mode=ro&immutable={int(not self.live)}"
            return sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS, check_same_thread=False)
        return sqlite3.connect(self.path, timeout=_LOCK_SECONDS, check_same_thread=False)

    def _check_version(self) -> None:
        """Refuse what cannot be read; older stores can be."""
        found = schema.version_of(self._database)
        if found > schema.VERSION:
            raise StoreError(
                f"The store in {self.folder} has schema version {found}, this program reads "
                f"{schema.VERSION} and earlier; use the version that wrote it, or another --cache "
                "folder."
            )
        if self.readonly and found == 0:
            raise _none_in(self.folder)

    def _prepare_for_writing(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        schema.bring_up_to_date(self._database)
        _remove_parts(self._models)

    def _other_scores(self, variant: str) -> StoreError:
        return StoreError(
            f"The scores of {variant} in {self.folder} are not those of its recordings: run edac "
            "cache check --repair, and then run the study's plan again."
        )

    def _has_table(self, name: str) -> bool:
        """Say whether a store, which may be older than a table and is only read, has it."""
        with self._explained():
            return schema.has_table(self._database, name)

    def _configurations(self, study: str) -> pd.DataFrame:
        """Return number, job and configuration of a study's finished jobs, by number."""
        names = [*_DESCRIBING, _SCHEDULE]
        paths = ", ".join(f"'$.{name}'" for name in names)
        found = self._query(_CONFIGURATIONS.format(paths=paths), (study,))
        described = json.loads(f"[{','.join(found.pop('described'))}]")
        jobs = pd.DataFrame(described, columns=names)
        jobs["method"] = jobs["method"].fillna(jobs.pop(_SCHEDULE))
        return pd.concat([found, jobs], axis=1)

    def _test_labels(self, split: str) -> npt.NDArray[np.bool_]:
        (recordings,) = self._query("SELECT recordings FROM splits WHERE key = ?", (split,)).iloc[0]
        table = pd.DataFrame(**json.loads(recordings))
        return table.loc[table["set"] == "test", "label"].to_numpy(bool)

    def _query(self, sql: str, values: tuple[Any, ...] = ()) -> pd.DataFrame:
        with self._explained():
            cursor = self._database.execute(sql, values)
            columns = [column[0] for column in cursor.description]
            return pd.DataFrame(cursor.fetchall(), columns=columns)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite and the file system say into one sentence."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"The study store in {self.folder} cannot be used: {error}; free space, or mend or "
                "remove it, and run again (finished jobs are kept)."
            ) from error

    def _write_model(self, variant: VariantResult) -> None:
        path = self.model_path(variant.sha256)
        if not path.exists():
            _write_atomically(path, variant.packed)

    def _insert_variant(self, job: str, variant: VariantResult) -> None:
        key = variant_key(job, variant.precision)
        self._database.execute(
            f"INSERT INTO variants VALUES ({', '.join('?' * 19)})",  # noqa: S608 - placeholders only
            (
                key,
                job,
                variant.precision,
                variant.sha256,
                *_values(variant.size),
                *_values(variant.auc),
                *_values(variant.decision),
                variant.scores.validation.astype("<f4").tobytes(),
                variant.scores.test.astype("<f4").tobytes(),
                _now(),
            ),
        )
        self._database.executemany(
            "INSERT INTO groups VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (key, name, group.n, group.positives, *_interval_values(group.auc))
                for name, group in variant.groups.items()
            ),
        )


def variant_key(job: str, precision: str) -> str:
    """Return the key of the variant that a job yields at a precision."""
    return f"{job}-{precision}"


_OF_STUDY = """
FROM study_jobs
JOIN jobs ON jobs.key = study_jobs.job
JOIN variants ON variants.job = jobs.key
"""

_OF_JOBS = "AND study_jobs.job IN (SELECT value FROM json_each(?))"

# A variant has few latencies, one a machine: looking for a newer one beats sorting them all.
_NEWEST_LATENCY = """
LEFT JOIN latencies AS newest ON newest.variant = variants.key AND NOT EXISTS (
  SELECT 1 FROM latencies AS other WHERE other.variant = newest.variant
  AND (other."when", other.machine_id) > (newest."when", newest.machine_id)
)
"""

_MEASURED_LATER = dict.fromkeys(("latency_ms", "latency_p95_ms", "baseline_latency_ms"), float)
_ONE_CLASS_HAS_NONE = dict.fromkeys(("auc", "auc_low", "auc_high"), float)

_VARIANTS = f"""
SELECT variants.key, variants.job, jobs.split,
  jobs.config ->> 'model' AS model,
  coalesce(jobs.config ->> 'method', jobs.config ->> 'schedule') AS method,
  jobs.config ->> 'sparsity' AS sparsity, jobs.achieved_sparsity, precision,
  jobs.config ->> 'protocol' AS protocol, jobs.config ->> 'split_seed' AS split_seed,
  jobs.config ->> 'training_seed' AS training_seed,
  auc, auc_low, auc_high, threshold, sensitivity, specificity, uar,
  raw_bytes, zip_bytes, xz_bytes, weights_total AS weights, nonzero_weights, sha256,
  newest.median_ms AS latency_ms, newest.p95_ms AS latency_p95_ms,
  newest.baseline_ms AS baseline_latency_ms
{_OF_STUDY} {_NEWEST_LATENCY}
WHERE study = ? {{chosen}}
ORDER BY model, split_seed, training_seed, method, sparsity, precision
"""

# Each is looked up by its key, so that no row of a job is read.
_PROGRESS = """
SELECT name AS study, count(jobs.key) AS finished, count(study_jobs.job) AS jobs,
  count(failures.job) AS failed
FROM studies
LEFT JOIN study_jobs ON study_jobs.study = studies.name
LEFT JOIN jobs ON jobs.key = study_jobs.job
LEFT JOIN failures ON failures.job = study_jobs.job
GROUP BY name ORDER BY name
"""

# Taken apart once a job, not once a variant and column.
_CONFIGURATIONS = """
SELECT jobs.rowid AS number, jobs.key AS job,
  json_extract(config, {paths}) AS described
FROM study_jobs JOIN jobs ON jobs.key = study_jobs.job
WHERE study = ? ORDER BY number
"""

_FIGURES = f"""
SELECT precision, jobs.rowid, auc, auc_low, auc_high, uar, raw_bytes, zip_bytes, weights_total,
  nonzero_weights, newest.median_ms, newest.p95_ms, newest.baseline_ms
{_OF_STUDY} {_NEWEST_LATENCY}
WHERE study = ?
"""

_COSTS = """
SELECT study, key, split, config, seconds, json_array_length(history) AS epochs,
  environment ->> '$.machine.cpu' AS cpu, environment ->> '$.machine.cores' AS cores
FROM jobs LEFT JOIN study_jobs ON study_jobs.job = jobs.key ORDER BY created, key
"""

_TEST_SCORES = """
SELECT variants.key, jobs.split, test_scores
FROM variants JOIN jobs ON jobs.key = variants.job
WHERE variants.key IN (SELECT value FROM json_each(?))
"""

_GROUPS = """
SELECT groups.* FROM study_jobs
JOIN variants ON variants.job = study_jobs.job
JOIN groups ON groups.variant = variants.key
WHERE study = ? {chosen} ORDER BY groups.variant, groups."group"
"""

_LATENCIES = """
SELECT latencies.* FROM latencies
JOIN variants ON variants.key = latencies.variant
JOIN study_jobs ON study_jobs.job = variants.job
WHERE study = ? ORDER BY latencies.variant, latencies."when"
"""


def _none_in(folder: Path) -> StoreError:
    return StoreError(f"There is no study store in {folder}; run a plan first.")


def _values(record: Any) -> tuple[Any, ...]:
    return tuple(asdict(record).values())


def _interval_values(interval: Interval | None) -> tuple[float | None, ...]:
    return (None, None, None) if interval is None else _values(interval)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _write_atomically(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and leave no litter behind a failure."""
    with _locked(path.parent, fcntl.LOCK_SH) as folder:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_PART)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
            os.fsync(folder)  # Its name is to outlast a power cut, as the row that names it does.
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _remove_parts(folder: Path) -> None:
    """Remove what writers that were killed left behind, unless somebody is writing just now."""
    with contextlib.suppress(OSError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
        for part in folder.glob(f"{_PART}*"):
            part.unlink()


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[int]:
    """Hold a folder's lock, which the system takes from a process that ends; yield its handle."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield handle
    finally:
        os.close(handle)
