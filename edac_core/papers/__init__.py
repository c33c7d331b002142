"""The published tables of the two papers."""

from functools import cache
from importlib import resources

import pandas as pd

EDAC = "EDAC"
SQUEEZE = "Squeeze for Sneeze"

MEBIBYTE = 2**20
"""What Squeeze for Sneeze calls a MB."""

_EDAC_MODELS = {"cnn": "CNN", "cnn_lstm": "CNN-LSTM"}
_SQUEEZE_MODELS = {"dense_a": "A", "dense_b": "B", "dense_c": "C"}
_SQUEEZE_VARIANTS = {
    "float32": {"uncompressed": 0.0, "pruned": 0.9},
    "int8": {"quantised": 0.0, "pruned+quantised": 0.9},
}
_CURVE = ["paper", "sparsity", "auc", "auc_std", "uar", "zip_bytes", "latency_ms"]
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
        Columns `paper` (its name), `sparsity` (a fraction), `auc`, `auc_std`, `uar` (on the test
        set), `zip_bytes` and `latency_ms` (means; NaN where the paper has no such quantity), by
        rising sparsity; no rows where nothing was published.
    """
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
        sparsity=chosen["sparsity_percent"] / 100,
        auc=chosen["auc_mean"],
        zip_bytes=chosen["zip_megabytes_mean"] * _MEGABYTE,
        latency_ms=chosen["latency_ms_mean"],
    )


def _squeeze_curve(model: str, schedule: str, precision: str) -> pd.DataFrame:
    table = squeeze_tables().rename(columns={"uar_test": "uar"})
    table = table.assign(
        paper=SQUEEZE,
        sparsity=table["variant"].map(_SQUEEZE_VARIANTS.get(precision, {})),
        zip_bytes=table["zip_mebibytes"] * MEBIBYTE,
    )
    most = 1.0 if schedule == "polynomial" else 0.0
    return table[(table["model"] == model) & (table["sparsity"] <= most)]


@cache
def _read(name: str) -> pd.DataFrame:
    with resources.files(__name__).joinpath(name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream)
