"""How near zip and xz come to the entropy of the weights of a file.

The bound is what a coder could reach that knows how often each value stands in each tensor, and
nothing of what stands beside it: the order-0 entropy (Shannon 1948). Packers look for repeats
too, so they may get below it where zeros come in runs.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from rich.table import Table

from benchmarks.contest import Say
from edac_core.locations import SHIPPED
from edac_core.measure.size import size_of, stored_values, weight_indices
from edac_core.studies.select import RUN
from edac_core.studies.store import Store

_STUDY, _PRECISION = "cnn", "int8"
_BITS = 8


def entropy_bytes(values: npt.NDArray[Any]) -> float:
    """Return how many bytes values take at the entropy of their histogram, in bits a value."""
    _, counts = np.unique(values, return_counts=True)
    shares = counts / counts.sum()
    return float(-(counts * np.log2(shares)).sum() / _BITS)


def weights_of(model: bytes) -> list[npt.NDArray[Any]]:
    """Return the weights of a .tflite file as they are stored, by tensor."""
    root = schema.Model.GetRootAs(model)
    graph = root.Subgraphs(0)
    return [stored_values(root, graph.Tensors(at)) for at in weight_indices(root, graph)]


def measure(*, say: Say) -> dict[str, Any]:
    """Measure the int8 files of the shipped study's first run."""
    say(f"Packing of the {_PRECISION} files of study {_STUDY} ...")
    with contextlib.closing(Store(SHIPPED, readonly=True)) as store:
        variants = store.variants(_STUDY)
        here = variants[variants["has_model"] & variants["precision"].eq(_PRECISION)]
        here = here[here[RUN].eq(here[RUN].iloc[0]).all(axis="columns")]
        rows = [
            _row(store.model(row["sha256"])) | {"method": row["method"], "level": row["sparsity"]}
            for row in here.sort_values(["method", "sparsity"]).to_dict("records")
        ]
    return {"study": _STUDY, "precision": _PRECISION, "files": rows}


def table(found: dict[str, Any]) -> Table:
    """Show sizes, and packed sizes as multiples of the bound."""
    shown = Table("method", "sparsity", "bound (kB)", "zip (kB)", "xz (kB)", "zip / bound",
                  "xz / bound", title="Packed files and the entropy of their weights")  # fmt: skip
    for row in found["files"]:
        bound = row["bound_bytes"]
        sizes = [bound, row["zip_bytes"], row["xz_bytes"]]
        shown.add_row(
            row["method"], f"{row['level']:.1%}", *(f"{size / 1e3:.1f}" for size in sizes),
            *(f"{size / bound:.2f}" for size in sizes[1:]),
        )  # fmt: skip
    return shown


def _row(model: bytes) -> dict[str, float]:
    size = size_of(model)
    return {
        "bound_bytes": sum(map(entropy_bytes, weights_of(model))),
        "zip_bytes": size.zip_bytes,
        "xz_bytes": size.xz_bytes,
        "weights": size.weights,
        "nonzero_weights": size.nonzero_weights,
    }
