"""The command line: ``edac run | search | sensitivity | status | table | export | ...``.

It is also ``python -m edac_core``.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import math
import os
import signal
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core import __version__
from edac_core.apart import Workers
from edac_core.datasets import DATASETS, canonical, open_dataset
from edac_core.datasets.audit import audit
from edac_core.datasets.download import download
from edac_core.datasets.location import data_root
from edac_core.errors import EdacError, StoreError
from edac_core.export import export_bundle
from edac_core.locations import SHIPPED, caching_in, local_cache
from edac_core.progress import libraries_write_to, reporter
from edac_core.studies import BASELINE
from edac_core.studies.journal import LOG_FILE, run_folder
from edac_core.studies.plan import load_plan
from edac_core.studies.store import Store
from edac_core.studies.trust import MARGIN
from edac_core.table import TABLE_HELP, Wanted, for_terminal, table_of

USAGE_ERROR = 2
INTERRUPTED = 130
SENSITIVITY_LOG = "sensitivity.log"
# For the largest network, whose file is held several times over.
_BUNDLE_SECONDS, _BUNDLE_MEMORY = 600, 16 * 2**30

_SEARCH_HELP = (
    "Try recipes on the network and the data of a plan, or go on with it, and print the best "
    "compromises found so far: recipes within the limits that no other beats in size (or latency) "
    "or in AUC without losing in the other. All figures are means over the plan's runs; "
    "validation_auc, and auc_drop below the unpruned float32 network, are of the validation set, "
    "never the test set. kB are 1,000 bytes. The variants are in the study NAME-search."
)
_SENSITIVITY_HELP = (
    "Measure how much each layer of a study's baselines minds being pruned and rounded: one "
    "layer at a time, by magnitude, with no fine-tuning, on validation recordings. What is known "
    "is not measured again. It prints the change of validation AUC by sparsity (%); --csv and "
    "--json print all columns: AUC and loss before and after, numbers of weights and recordings."
)
_MINIMISED: Mapping[str, Any] = {"zip": "zip_bytes", "raw": "raw_bytes", "latency": "latency_ms"}
_EXPORT_HELP = (
    "Write a variant's .tflite file; or a bundle (zip) of the file, a C header, its front-end, "
    "golden inputs, a script that checks them, all figures, a model card and how to make it again."
)

_RERUN_HELP = (
    "Train and convert a variant again as its study's plan says, with what it starts from, and say "
    "whether it came out the same: bit-equal, which takes the same libraries, code and kind of "
    "processor; or with an AUC at most 0.02 and sizes at most 5 % apart; or different, which is "
    "exit status 1. What was computed is kept in the cache's folder reruns."
)
_CHECK_HELP = (
    "Look over every file of the cache and of what was shipped: digests, checksums, SQLite's own "
    "checks, figures against the scores they come of. Exit status 1 if anything is amiss. --repair "
    "deletes what is damaged and forgets the jobs it belonged to, so that the next run of their "
    "plan makes them again; 1 then means that something is left to be done by hand."
)
_EVICT_HELP = (
    "Delete model files and features, the least recently used first, until the cache is no larger. "
    "Figures, weights, float32 baselines and what was shipped stay. EDAC_CACHE_BYTES does so at "
    "the end of every run."
)
_FORGET_HELP = (
    "Forget the jobs of a study whose model files were evicted or are lost, so that the next run "
    "of its plan makes them again. Baselines are converted anew from their weights."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0 is success, 1 a study some of whose jobs failed, 2 a mistake that one sentence on standard
    error explains, 130 an interruption.
    """
    options = make_parser().parse_args(arguments)
    try:
        with caching_in(options.cache):
            status = int(options.command(options))
        # What is still to be printed may meet a reader that has gone.
        sys.stdout.flush()
    except EdacError as error:
        print(f"edac: {error}", file=sys.stderr)  # noqa: T201 - a command line prints
        return USAGE_ERROR
    except BrokenPipeError:
        # As of `edac table cnn | head`; Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(  # noqa: T201 - a command line prints
            "edac: interrupted; finished jobs are kept, run the same command again to go on.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return status


def _run(options: argparse.Namespace) -> int:
    from edac_core.studies.run import run_study  # noqa: PLC0415 - Dask takes a second to import

    plan, most_bytes = load_plan(options.plan), _limit_of_cache()
    with (
        _termination_interrupts(),
        libraries_write_to(run_folder(options.cache, plan.name) / LOG_FILE) as screen,
        reporter(quiet=options.quiet, as_json=options.json, screen=screen) as listener,
    ):
        summary = run_study(
            plan,
            cache=options.cache,
            workers=options.workers,
            scheduler=options.scheduler,
            resources=dict(options.resource),
            listener=listener,
        )
    _keep_within(most_bytes, options)
    return 1 if summary.failed else 0


def _search(options: argparse.Namespace) -> int:
    from edac_core.studies.search import (  # noqa: PLC0415 - Dask takes a second to import
        SUFFIX,
        search,
    )
    from edac_core.studies.select import Limits  # noqa: PLC0415 - so does SciPy

    plan, most_bytes = load_plan(options.plan), _limit_of_cache()
    limits = Limits(
        auc_drop=options.max_auc_drop,
        zip_bytes=_bytes(options.max_zip_kb),
        raw_bytes=_bytes(options.max_raw_kb),
        latency_ms=options.max_latency_ms,
    )
    with (
        _termination_interrupts(),
        libraries_write_to(run_folder(options.cache, plan.name + SUFFIX) / LOG_FILE) as screen,
        reporter(quiet=options.quiet, as_json=options.json, screen=screen) as listener,
    ):
        found = search(
            plan,
            cache=options.cache,
            trials=options.trials,
            limits=limits,
            minimise=_MINIMISED[options.minimise],
            seed=options.seed,
            workers=options.workers,
            listener=listener,
        )
    _show_found(found, options)
    _keep_within(most_bytes, options)
    return 0


def _limit_of_cache() -> int | None:
    from edac_core.studies.eviction import (  # noqa: PLC0415 - SciPy takes a second to import
        limit_from_environment,
    )

    return limit_from_environment()


def _keep_within(most_bytes: int | None, options: argparse.Namespace) -> None:
    """Make the cache small after a run; what the run has found is there in any case."""
    if most_bytes is None:
        return
    from edac_core.studies.eviction import evict  # noqa: PLC0415 - as above

    try:
        evict(options.cache, keep_bytes=most_bytes)
    except StoreError as error:
        print(f"edac: {error}", file=sys.stderr)  # noqa: T201 - a command line prints


def _bytes(kilobytes: float | None) -> float | None:
    return None if kilobytes is None else kilobytes * 1e3


def _show_found(found: Any, options: argparse.Namespace) -> None:
    rows = [
        {
            "recipe": one.recipe,
            "precision": one.precision,
            "validation_auc": one.validation_auc,
            "auc_drop": one.auc_drop,
            "zip_kb": one.zip_bytes / 1e3,
            "raw_kb": one.raw_bytes / 1e3,
            "latency_ms": one.latency_ms,
        }
        for one in found.front
    ]
    if rows or options.json or options.csv:
        _show(pd.DataFrame(rows), options)
    if not (options.json or options.csv):
        within = "" if rows else " and none is within the limits"
        _say(
            {},
            f"{found.candidates} variants measured{within}, {len(found.refused)} refused. All of "
            f"them: edac table {found.study}; how the search went: optuna-dashboard "
            f"{found.storage}",
            options,
        )


def _sensitivity(options: argparse.Namespace) -> int:
    from edac_core.studies.sensitivity import (  # noqa: PLC0415 - SciPy takes a second to import
        measure_sensitivities,
    )

    quiet = options.quiet or options.json or options.csv
    with (
        _termination_interrupts(),
        libraries_write_to(options.cache / SENSITIVITY_LOG) as screen,
        reporter(quiet=quiet, as_json=False, screen=screen) as listener,
    ):
        measure_sensitivities(
            options.study,
            cache=options.cache,
            model=options.model,
            workers=options.workers or os.cpu_count() or 1,
            listener=listener,
        )
    with contextlib.closing(Store(options.cache, readonly=True, live=True)) as store:
        found = store.sensitivities(options.study)
    chosen = found if options.model is None else found[found["model"] == options.model]
    _show(chosen if options.csv or options.json else _by_sparsity(chosen), options)
    return 0


def _by_sparsity(found: pd.DataFrame) -> pd.DataFrame:
    """Write changes of AUC, a row a layer and a column a sparsity."""
    rows = {"model": "model", "split_seed": "split", "training_seed": "seed",
            "precision": "precision", "layer": "layer", "weights": "weights"}  # fmt: skip
    changes = found.rename(columns=rows).assign(
        change=found["auc"] - found["auc_before"],
        sparsity=[f"{100 * sparsity:g}" for sparsity in found["sparsity"]],
    )
    levels = changes["sparsity"].unique()
    table = changes.pivot_table("change", list(rows.values()), "sparsity", sort=False)[levels]
    # Adding zero takes the sign off what is rounded to zero.
    return (table.round(3) + 0.0).map("{:+.3f}".format).reset_index().rename_axis(columns=None)


@contextlib.contextmanager
def _termination_interrupts() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C: workers are ended, and the journal says what happened."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _status(options: argparse.Namespace) -> int:
    rows = [
        {**row, "where": store.folder.name}
        for store in _stores(options.cache)
        for row in store.progress().to_dict("records")
    ]
    if not rows and not options.json:
        _say({}, "No studies yet; start with: edac run plans/quick.toml", options)
        return 0
    _show(pd.DataFrame(rows, columns=["study", "where", "finished", "jobs", "failed"]), options)
    return 0


def _table(options: argparse.Namespace) -> int:
    store = _store_of(options.study, options.cache)
    wanted = Wanted(
        margin=options.margin,
        means=options.means,
        sensitivity=options.sensitivity,
        devices=options.devices,
    )
    table = table_of(store, options.study, wanted)
    _show(table if options.csv or options.json else for_terminal(table, wanted), options)
    return 0


def _export(options: argparse.Namespace) -> int:
    store = _store_of(options.study, options.cache)
    chosen = _chosen_variant(store.variants(options.study), options)
    if options.bundle or options.output.suffix == ".zip":
        return _export_bundle(store, chosen, options)
    model = store.model(chosen["sha256"])
    _write(options.output, model)
    _say(
        {"file": str(options.output), "bytes": len(model), "sha256": chosen["sha256"]},
        f"{options.output}: {len(model):,} bytes, SHA-256 {chosen['sha256']}",
        options,
    )
    return 0


def _export_bundle(store: Store, chosen: dict[str, Any], options: argparse.Namespace) -> int:
    content = _bundle(store, options.study, chosen["key"])
    _write(options.output, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sizes = {Path(file.filename): file.file_size for file in archive.infolist()}
    folder = next(iter(sizes)).parts[0]
    facts = {
        "file": str(options.output),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "model_sha256": chosen["sha256"],
        "folder": folder,
        "files": {file.relative_to(folder).as_posix(): size for file, size in sizes.items()},
    }
    _say(
        facts,
        f"{options.output}: {len(content):,} bytes, SHA-256 {facts['sha256']}; unpack it and run "
        f"python {folder}/check.py",
        options,
    )
    return 0


def _rerun(options: argparse.Namespace) -> int:
    from edac_core.rerun import DIFFERENT, FOLDER, rerun  # noqa: PLC0415 - as for run

    store = _store_of(options.study, options.cache)
    chosen = _chosen_variant(store.variants(options.study), options)
    with (
        _termination_interrupts(),
        libraries_write_to(options.cache / FOLDER / LOG_FILE) as screen,
        reporter(quiet=options.quiet, as_json=options.json, screen=screen) as listener,
    ):
        found = rerun(
            store,
            study=options.study,
            variant=chosen,
            cache=options.cache,
            path=options.path,
            anew=options.anew,
            workers=options.workers,
            listener=listener,
        )
    _say(found.to_dict(), found.describe(), options)
    return int(found.verdict == DIFFERENT)


def _bundle(store: Store, study: str, variant: str) -> bytes:
    """Make a bundle apart: a store may come from anywhere, and with it what LiteRT loads."""
    workers = Workers(processes=1, memory=_BUNDLE_MEMORY)
    try:
        return workers.call(
            export_bundle, str(store.folder), study, variant,
            seconds=_BUNDLE_SECONDS, subject=f"The bundle of {study}",
        )  # fmt: skip
    finally:
        workers.close()


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, so that a full disk costs nothing that was there."""
    # Nothing can be moved to what is no file, such as /dev/stdout.
    aside = path.with_name(f".{path.name}.part-{os.getpid()}")
    whole = path if path.exists() and not path.is_file() else aside
    try:
        try:
            whole.write_bytes(content)
            if whole is aside:
                aside.replace(path.resolve())
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}; make room there, or choose another "
            "--output."
        ) from error


def _cache_check(options: argparse.Namespace) -> int:
    from edac_core.studies.upkeep import (  # noqa: PLC0415 - SciPy takes a second to import
        check,
        check_shipped,
    )

    found = check(options.cache, repair=options.repair)
    if Store.exists(SHIPPED):
        found += check_shipped(SHIPPED)
    columns = ["kind", "name", "text", "done", "remedy"]
    table = pd.DataFrame([vars(finding) for finding in found], columns=columns)
    if options.json or options.csv:
        _show(table, options)
    elif found:
        for finding in found:
            outcome = finding.done or finding.remedy or "edac cache check --repair mends it"
            _say({}, f"{finding.kind} {finding.name}: {finding.text}: {outcome}.", options)
    else:
        _say({}, f"Nothing is amiss in {options.cache} and in what was shipped.", options)
    return 0 if all(finding.done for finding in found) else 1


def _cache_evict(options: argparse.Namespace) -> int:
    from edac_core.studies.eviction import evict  # noqa: PLC0415 - as above

    done = evict(options.cache, keep_bytes=round(options.keep_gb * 1e9))
    _say(
        vars(done),
        f"{done.files} files with {done.bytes_freed / 1e9:.3f} GB were deleted; "
        f"{done.bytes_left / 1e9:.3f} GB are left.",
        options,
    )
    return 0


def _cache_forget(options: argparse.Namespace) -> int:
    from edac_core.studies.upkeep import forget_missing  # noqa: PLC0415 - as above

    jobs = forget_missing(options.cache, options.study)
    _say(
        {"study": options.study, "forgotten": jobs},
        f"{jobs} jobs of {options.study} have lost a model file and are forgotten; its plan's next "
        "run makes them again.",
        options,
    )
    return 0


def _data_list(options: argparse.Namespace) -> int:
    _say(
        {"datasets": list(DATASETS), "folder": str(data_root())},
        f"Data sets: {', '.join(DATASETS)}. Recordings are looked for in {data_root()}.",
        options,
    )
    return 0


def _data_audit(options: argparse.Namespace) -> int:
    dataset = open_dataset(options.dataset, path=options.path)
    result = audit(dataset, cache=options.cache)
    if options.csv:
        left_out = dataset.dropped.assign(verdict="drop")
        table = pd.concat([result.recordings, left_out], ignore_index=True)
        print(table.to_csv(index=False), end="")  # noqa: T201 - a command line prints
        return 0
    counts = {**result.summary(), **dataset.dropped["reason"].value_counts()}
    _data_heading(f"{dataset.title}, licence: {dataset.licence}", options)
    _show(pd.DataFrame(counts.items(), columns=["verdict", "recordings"]), options)
    _data_show_metadata_auc(result.metadata_auc, options)
    if dataset.notes or options.json:
        _say({"notes": dataset.notes}, "\n".join(["", *dataset.notes]), options)
    return 0


def _data_show_metadata_auc(table: pd.DataFrame, options: argparse.Namespace) -> None:
    known = table.dropna(subset="auc")
    if options.json:
        _show(table, options)
    elif known.empty:
        _data_heading("\nToo few usable recordings of one label to ask what predicts it.", options)
    else:
        _data_heading("\nWhat predicts the label without the sound (AUC; 0.5 is chance)", options)
        _show(known, options)


def _data_heading(text: str, options: argparse.Namespace) -> None:
    if not (options.json or options.quiet):
        print(text)  # noqa: T201 - a command line prints


def _data_download(options: argparse.Namespace) -> int:
    target = options.path or data_root()
    folder = download(canonical(options.dataset), target=target, progress=not options.quiet)
    _say({"folder": str(folder)}, f"{options.dataset} is in {folder}.", options)
    return 0


def _stores(cache: Path) -> list[Store]:
    """Open the stores there are for reading: this machine's first, then the shipped one."""
    own = Store.exists(cache) and cache.resolve() != SHIPPED.resolve()
    local = [Store(cache, readonly=True, live=True)] if own else []
    shipped = [Store(SHIPPED, readonly=True)] if Store.exists(SHIPPED) else []
    return local + shipped


def _store_of(study: str, cache: Path) -> Store:
    stores = _stores(cache)
    for store in stores:
        if study in set(store.studies()["name"]):
            return store
    known = sorted({name for store in stores for name in store.studies()["name"]})
    choice = f"choose from: {', '.join(known)}" if known else "run a plan first"
    raise StoreError(f"There is no study {study!r}; {choice}.")


def _chosen_variant(variants: pd.DataFrame, options: argparse.Namespace) -> dict[str, Any]:
    """Narrow the variants down, naming the first choice that leaves none."""
    wanted = {
        "model": options.model,
        "precision": options.precision,
        "sparsity": options.sparsity,
        "method": options.method or ("polynomial" if options.sparsity else BASELINE),
        "split_seed": options.split_seed,
        "training_seed": options.training_seed,
    }
    left = variants
    for column, value in wanted.items():
        if value is None:
            continue
        offered = sorted(left[column].unique())
        left = left[left[column] == value]
        if left.empty:
            listed = ", ".join(f"{item:g}" if isinstance(item, float) else str(item)
                               for item in offered)  # fmt: skip
            raise StoreError(f"The study has no {column} {value}; choose from: {listed}.")
    levels = sorted(left["sparsity"].unique())
    if len(levels) > 1:
        listed = ", ".join(f"{level:g}" for level in levels)
        raise StoreError(f"The method has several sparsities; choose one of them: {listed}.")
    present = left[left["has_model"]]
    chosen = present if len(present) else left
    return dict(chosen.iloc[0])


def _show(frame: pd.DataFrame, options: argparse.Namespace) -> None:
    if options.json:
        text = frame.to_json(orient="records", double_precision=15)
    elif options.csv:
        text = frame.to_csv(index=False).rstrip("\n")
    else:
        text = frame.to_string(index=False, float_format=lambda value: f"{value:.4g}")
    print(text)  # noqa: T201 - a command line prints


def _say(facts: dict[str, Any], sentence: str, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(facts))  # noqa: T201 - a command line prints
    elif not options.quiet:
        print(sentence)  # noqa: T201 - a command line prints


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line, which the reference in the documentation is made of."""
    parser = argparse.ArgumentParser(
        prog="edac", description="Find the smallest cough classifier you can still trust."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = _command(commands, "run", _run, "run a plan, or go on with one")
    run.add_argument("plan", type=Path, help="a TOML file")
    run.add_argument("--workers", type=_positive, help="worker processes (default: one a core)")
    run.add_argument("--scheduler", help="address of a Dask scheduler, such as tcp://host:8786")
    run.add_argument(
        "--resource", type=_resource, action="append", default=[], metavar="NAME=AMOUNT",
        help="what each job asks of a worker, such as GPU=1; see docs/cluster.md",
    )  # fmt: skip

    _add_search(commands)

    sensitivity = _command(
        commands, "sensitivity", _sensitivity, "measure which layers of a study mind compression"
    )
    sensitivity.description = _SENSITIVITY_HELP
    sensitivity.add_argument("study")
    sensitivity.add_argument("--model", help="one network of the study (default: all)")
    sensitivity.add_argument(
        "--workers", type=_positive, help="worker processes (default: one a core)"
    )

    _command(commands, "status", _status, "list the studies and how far they are")

    table = _command(commands, "table", _table, "print all variants of a study")
    table.description = TABLE_HELP
    table.add_argument("study")
    table.add_argument("--means", action="store_true", help="average over the runs")
    table.add_argument(
        "--margin", type=float, default=MARGIN,
        help=f"largest loss of AUC that would still do, for the verdict (default: {MARGIN:g})",
    )  # fmt: skip
    table.add_argument(
        "--sensitivity", type=float,
        help="add sensitivity and specificity at the threshold that reaches this on validation",
    )  # fmt: skip
    table.add_argument(
        "--devices", action="store_true",
        help="add estimated RAM, multiplications and the runtimes that take a file",
    )  # fmt: skip

    export = _command(commands, "export", _export, "write a variant's .tflite file, or a bundle")
    export.description = _EXPORT_HELP
    export.add_argument("study")
    export.add_argument("--output", type=Path, required=True, help="a .zip gets a bundle")
    export.add_argument("--bundle", action="store_true", help="a bundle, whatever the file's name")
    _add_choice_of_variant(export)

    again = _command(commands, "rerun", _rerun, "make a variant again and compare the two")
    again.description = _RERUN_HELP
    again.add_argument("study")
    _add_choice_of_variant(again)
    again.add_argument("--path", help="where the recordings are, if not where the study had them")
    again.add_argument("--anew", action="store_true", help="forget what an earlier rerun made")
    again.add_argument("--workers", type=_positive, help="worker processes (default: one a core)")

    data = commands.add_parser("data", help="list, audit or download data sets")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    _command(actions, "list", _data_list, "list the data sets")
    for name, command, text, path in (
        ("audit", _data_audit, "look at every recording of a data set", "the data set itself"),
        ("download", _data_download, "fetch a public data set", "folder to put its folder into"),
    ):
        action = _command(actions, name, command, text)
        action.add_argument("dataset")
        action.add_argument("--path", type=Path, help=path)
    _add_cache(commands)
    return parser


def _add_choice_of_variant(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--method", help="polynomial if not given; none is the baseline")
    parser.add_argument("--sparsity", type=float, help="a fraction; without it, the baseline")
    parser.add_argument("--precision", required=True)
    parser.add_argument("--split-seed", type=int)
    parser.add_argument("--training-seed", type=int)


def _add_cache(commands: Any) -> None:
    cache = commands.add_parser("cache", help="check, mend or shrink what this machine keeps")
    actions = cache.add_subparsers(required=True, metavar="ACTION")
    check = _command(actions, "check", _cache_check, "look every file of the cache over")
    check.description = _CHECK_HELP
    check.add_argument("--repair", action="store_true", help="mend what can be mended")
    evict = _command(actions, "evict", _cache_evict, "delete what was used least recently")
    evict.description = _EVICT_HELP
    evict.add_argument("--keep-gb", type=_limit, required=True, help="what may stay, in 10^9 bytes")
    forget = _command(actions, "forget", _cache_forget, "have lost model files made again")
    forget.description = _FORGET_HELP
    forget.add_argument("study")


def _add_search(commands: Any) -> None:
    search = _command(commands, "search", _search, "search recipes for the best compromises")
    search.description = _SEARCH_HELP
    search.add_argument("plan", type=Path, help="a TOML file with one network")
    search.add_argument("--trials", type=_positive, required=True, help="recipes to try")
    search.add_argument("--minimise", choices=list(_MINIMISED), default="zip", help="default: zip")
    search.add_argument("--max-zip-kb", type=_limit, help="zipped file")
    search.add_argument("--max-raw-kb", type=_limit, help="file as it is")
    search.add_argument("--max-latency-ms", type=_limit, help="of one recording on this machine")
    search.add_argument("--max-auc-drop", type=_limit, help="below the float32 network")
    search.add_argument("--seed", type=_seed, default=0, help="seeds the proposals (default: 0)")
    search.add_argument("--workers", type=_positive, help="worker processes (default: one a core)")


def _command(commands: Any, name: str, command: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(command=command)
    parser.add_argument("--cache", type=Path, default=local_cache(), help="folder of the studies")
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--csv", action="store_true", help="print tables as CSV")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def _resource(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        resource = name, float(amount)
    except ValueError:
        resource = "", 0.0
    if not resource[0] or not 0 < resource[1] < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not like GPU=1")
    return resource


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is not at least 0")
    return value


def _limit(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number that is at least 0")
    return value
