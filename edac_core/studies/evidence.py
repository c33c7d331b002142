"""Evidence for what is doubtful about published figures, from the studies in a store.

These functions are called in a process apart by readers of figures, who are spared what the work
itself imports.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from edac_core.studies.select import is_reference
from edac_core.studies.store import Store

if TYPE_CHECKING:
    from edac_core.measure.zeros import ZeroSigns

SEED = 1234

# As `edac_core.studies.protocols.ORIGINAL`, which brings scikit-learn along.
_AS_IT_IS = ""


def compare_stored_zero_signs(
    folder: str,
    live: bool,  # noqa: FBT001 - calls in a process apart have no keywords
    sha256: str,
    sparsity: float | None,
) -> ZeroSigns:
    """Measure what randomly signed zeros add to a file of a store; see `compare_zero_signs`.

    Parameters
    ----------
    folder, live
        The store, as `Store` takes it.
    sha256
        Digest of a float32 file.
    sparsity
        Prune it to this fraction first; None if it is pruned already.

    Raises
    ------
    StoreError
        If the file is not in the store, or is damaged.
    ModelError
        If its weights are not float32.
    """
    from edac_core.measure.zeros import compare_zero_signs  # noqa: PLC0415 - see above

    with _open(folder, live=live) as store:
        model = store.model(sha256)
    return compare_zero_signs(model, sparsity=sparsity, seed=SEED)


def baselines_without_copies(
    folder: str,
    live: bool,  # noqa: FBT001 - calls in a process apart have no keywords
    study: str,
    model: str,
) -> pd.DataFrame:
    """Test a network's float32 baselines again, on the recordings of their test sets as they are.

    Parameters
    ----------
    folder, live
        The store, as `Store` takes it.
    study, model
        Names of a study and of one of its networks.

    Returns
    -------
    DataFrame
        One row a run: ``split_seed`` and ``training_seed``; ``examples`` and ``copies``, how many
        test examples there are and how many of them are augmented; ``positive_copies``, how many
        of those are positive; ``auc``, ``auc_low`` and ``auc_high`` on all examples;
        ``plain_auc``, ``plain_auc_low`` and ``plain_auc_high`` (95 %, DeLong) without the copies.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with _open(folder, live=live) as store:
        variants = store.variants(study)
        rows = variants[is_reference(variants) & (variants["model"] == model)]
        found = rows.set_index("key")[_RUN]
        retested = [_retested(store.scores(key)) for key in found.index]
    return found.join(pd.DataFrame(retested, index=found.index, columns=_RETESTED)).reset_index(
        drop=True
    )


def _retested(scored: pd.DataFrame) -> tuple[int, int, int, float, float, float]:
    from edac_core.measure.discrimination import auc_interval  # noqa: PLC0415 - see above

    test = scored[scored["set"] == "test"]
    as_it_is = test["copy"] == _AS_IT_IS
    plain, copies = test[as_it_is], test[~as_it_is]
    auc = auc_interval(plain["label"], plain["score"])
    return len(test), len(copies), int(copies["label"].sum()), auc.estimate, auc.low, auc.high


def _open(folder: str, *, live: bool) -> contextlib.closing[Store]:
    return contextlib.closing(Store(Path(folder), readonly=True, live=live))


_RUN = ["split_seed", "training_seed", "auc", "auc_low", "auc_high"]
_RETESTED = [
    "examples",
    "copies",
    "positive_copies",
    "plain_auc",
    "plain_auc_low",
    "plain_auc_high",
]
