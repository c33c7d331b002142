"""The published tables of the two papers."""

from functools import cache
from importlib import resources

import pandas as pd

_EDAC_MODELS = {"cnn": "CNN", "cnn_lstm": "CNN-LSTM"}
_CURVE = ["sparsity", "auc_mean", "auc_std", "zip_megabytes_mean", "latency_ms_mean"]


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
    """Select what EDAC published of one model over sparsity.

    Parameters
    ----------
    model : str
        Our name, such as "cnn".
    schedule : str
        "constant" or "polynomial".
    precision : str
        "float32", "float16" or "int8".

    Returns
    -------
    DataFrame
        Columns `sparsity` (a fraction), `auc_mean`, `auc_std`, `zip_megabytes_mean` and
        `latency_ms_mean`, by rising sparsity; no rows where nothing was published.
    """
    table = edac_tables()
    chosen = table[
        (table["model"] == _EDAC_MODELS.get(model))
        & (table["schedule"] == schedule)
        & (table["precision"] == precision)
    ]
    curve = chosen.assign(sparsity=chosen["sparsity_percent"] / 100)
    return curve[_CURVE].sort_values("sparsity", ignore_index=True)


@cache
def _read(name: str) -> pd.DataFrame:
    with resources.files(__name__).joinpath(name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream)
