"""The published tables of the two papers."""

from functools import cache
from importlib import resources

import pandas as pd

from edac_core.compress import REFERENCE_PRECISION
from edac_core.measure.parts import MEBIBYTE

EDAC = "EDAC"
SQUEEZE = "Squeeze for Sneeze"

PUBLISHED_MODELS = ("cnn", "cnn_lstm", "dense_a", "dense_b", "dense_c")
"""Our names of the networks that the papers have tables of."""

_EDAC_MODELS = {"cnn": "CNN", "cnn_lstm": "CNN-LSTM"}
_SQUEEZE_MODELS = {"dense_a": "A", "dense_b": "B", "dense_c": "C"}
_SQUEEZE_VARIANTS = {
    "float32": {"uncompressed": 0.0, "pruned": 0.9},
    "int8": {"quantised": 0.0, "pruned+quantised": 0.9},
}
_CURVE = ["paper", "place", "sparsity", "auc", "auc_std", "uar", "uar_devel", "zip_bytes",
          "zip_ratio", "latency_ms", "speedup"]  # fmt: skip
_PLACES = {
    ("CNN", "constant"): "table 3",
    ("CNN", "polynomial"): "table 4",
    ("CNN-LSTM", "constant"): "table 5",
    ("CNN-LSTM", "polynomial"): "table 6",
}
_MEGABYTE = 1e6


def edac_tables() -> pd.DataFrame:
    """Read tables 3 to 6 of EDAC.

    Returns
    -------
    DataFrame
        One row a model, schedule, sparsity (`sparsity_percent`) and precision: mean and
        standard deviation of the AUC, of the zipped size in 10^6 bytes and of the latency in ms
        (`auc_mean`, `auc_std`, `zip_megabytes_mean`, ...). A copy, to do with as one likes.

    References
    ----------
    "EDAC: Efficient Deployment of Audio Classification Models for COVID-19 Detection" (2023),
    appendix E.
    """
    return _read("edac_tables_3_to_6.csv").copy()


def squeeze_tables() -> pd.DataFrame:
    """Read tables 2 and 3 of Squeeze for Sneeze.

    Returns
    -------
    DataFrame
        One row a model and variant: UAR on the test set (`uar_test`) and on the rebalanced
        devel set (`uar_rebalanced_devel`), and the zipped size in MiB (`zip_mebibytes`). A
        copy, to do with as one likes.

    References
    ----------
    "Squeeze for Sneeze: Compact Neural Networks for Cold and Flu Recognition", Interspeech 2020.
    """
    return _read("squeeze_tables_2_and_3.csv").copy()


def published_curve(model: str, schedule: str, precision: str) -> pd.DataFrame:
    """Select what a paper published of one model over sparsity, in our units.

    Squeeze for Sneeze has two levels: unpruned, and pruned by the polynomial schedule to 90 %
    (89.8 % of the weights, by its table 3).

    Parameters
    ----------
    model : str
        Our name, such as "cnn".
    schedule : str
        "constant" or "polynomial"; what is not pruned belongs to both.
    precision : str
        "float32", "float16" or "int8".

    Returns
    -------
    DataFrame
        Columns `paper` (its name), `place` (such as "table 4"), `sparsity` (a fraction), `auc`,
        `auc_std`, `uar` (on the test set), `uar_devel`, `zip_bytes` and `latency_ms` (means; NaN
        where the paper has no such quantity); `zip_ratio` and `speedup`, how many times smaller
        and faster than the unpruned float32 network of the same table; by rising sparsity; no
        rows where nothing was published.
    """
    return _curve_with_ratios(model, schedule, precision).copy()


@cache
def _curve_with_ratios(model: str, schedule: str, precision: str) -> pd.DataFrame:
    found = _published(model, schedule, precision)
    reference = _published(model, schedule, REFERENCE_PRECISION)
    unpruned = reference[reference["sparsity"] == 0]
    for column, ratio in (("zip_bytes", "zip_ratio"), ("latency_ms", "speedup")):
        found[ratio] = unpruned[column].max() / found[column]
    return found


def _published(model: str, schedule: str, precision: str) -> pd.DataFrame:
    if model in _SQUEEZE_MODELS:
        found = _squeeze_curve(_SQUEEZE_MODELS[model], schedule, precision)
    else:
        found = _edac_curve(_EDAC_MODELS.get(model), schedule, precision)
    return found.reindex(columns=_CURVE).sort_values("sparsity", ignore_index=True)


def _edac_curve(model: str | None, schedule: str, precision: str) -> pd.DataFrame:
    table = edac_tables()
    chosen = table[
        (table["model"] == model)
        & (table["schedule"] == schedule)
        & (table["precision"] == precision)
    ]
    return chosen.assign(
        paper=EDAC,
        place=_PLACES.get((str(model), schedule), ""),
        sparsity=chosen["sparsity_percent"] / 100,
        auc=chosen["auc_mean"],
        zip_bytes=chosen["zip_megabytes_mean"] * _MEGABYTE,
        latency_ms=chosen["latency_ms_mean"],
    )


def _squeeze_curve(model: str, schedule: str, precision: str) -> pd.DataFrame:
    table = squeeze_tables().rename(
        columns={"uar_test": "uar", "uar_rebalanced_devel": "uar_devel"}
    )
    table = table.assign(
        paper=SQUEEZE,
        place="tables 2 and 3",
        sparsity=table["variant"].map(_SQUEEZE_VARIANTS.get(precision, {})),
        zip_bytes=table["zip_mebibytes"] * MEBIBYTE,
    )
    most = 1.0 if schedule == "polynomial" else 0.0
    return table[(table["model"] == model) & (table["sparsity"] <= most)]


@cache
def _read(name: str) -> pd.DataFrame:
    with resources.files(__name__).joinpath(name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream)
