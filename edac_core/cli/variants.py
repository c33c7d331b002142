"""Commands of one variant: export, rerun."""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

from edac_core.apart import Workers
from edac_core.cli.common import add_command, positive, running, say, store_of
from edac_core.compress import PRECISIONS
from edac_core.errors import StoreError
from edac_core.export import export_bundle
from edac_core.studies import BASELINE
from edac_core.studies.journal import LOG_FILE
from edac_core.studies.store import Store

# For the largest network, whose file is held several times over.
_BUNDLE_SECONDS, _BUNDLE_MEMORY = 600, 16 * 2**30
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


def add_commands(commands: Any) -> None:
    """Add export and rerun."""
    export = add_command(commands, "export", _export, "write a variant's .tflite file, or a bundle")
    export.description = _EXPORT_HELP
    export.add_argument("study")
    export.add_argument("--output", type=Path, required=True, help="a .zip gets a bundle")
    export.add_argument("--bundle", action="store_true", help="a bundle, whatever the file's name")
    _add_choice_of_variant(export)

    again = add_command(commands, "rerun", _rerun, "make a variant again and compare the two")
    again.description = _RERUN_HELP
    again.add_argument("study")
    _add_choice_of_variant(again)
    again.add_argument("--path", help="where the recordings are, if not where the study had them")
    again.add_argument("--anew", action="store_true", help="forget what an earlier rerun made")
    again.add_argument("--workers", type=positive, help="worker processes (default: one a core)")


def _add_choice_of_variant(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="cnn", help="network (default: cnn)")
    parser.add_argument("--method", help="polynomial if not given; none is the baseline")
    parser.add_argument("--sparsity", type=float, help="a fraction; without it, the baseline")
    parser.add_argument("--precision", required=True, help=", ".join(PRECISIONS))
    run = "of the run (default: the first whose file is here)"
    parser.add_argument("--split-seed", type=int, help=run)
    parser.add_argument("--training-seed", type=int, help=run)


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


def _export(options: argparse.Namespace) -> int:
    store = store_of(options.study, options.cache)
    chosen = _chosen_variant(store.variants(options.study), options)
    if options.bundle or options.output.suffix == ".zip":
        return _export_bundle(store, chosen, options)
    model = store.model(chosen["sha256"])
    _write(options.output, model)
    say(
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
    say(
        facts,
        f"{options.output}: {len(content):,} bytes, SHA-256 {facts['sha256']}; unpack it and run "
        f"python {folder}/check.py",
        options,
    )
    return 0


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


def _rerun(options: argparse.Namespace) -> int:
    from edac_core.rerun import DIFFERENT, FOLDER, rerun  # noqa: PLC0415 - Dask takes a second to import

    store = store_of(options.study, options.cache)
    chosen = _chosen_variant(store.variants(options.study), options)
    with running(options, options.cache / FOLDER / LOG_FILE) as listener:
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
    say(found.to_dict(), found.describe(), options)
    return int(found.verdict == DIFFERENT)
