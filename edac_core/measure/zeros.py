"""What the signs of zeros cost: -0.0 and +0.0 weigh the same and do not compress the same.

A pruning mask multiplies weights by zero, and a negative weight times zero is -0.0. Nothing that
the network computes depends on it, but an archive has to keep the sign bit of every such weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from edac_core.errors import ModelError
from edac_core.measure.size import (
    weight_indices,
    zip_bytes_of,
)
from edac_core.runtime import Variant, open_interpreter

INPUTS = 8

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ZeroSigns:
    """A pruned file with all its zeros positive, beside the same with random signs.

    `negative_zeros` counts the -0.0 among `zeros` of `weights` in the second. `agreeing` counts
    the inputs, of `inputs`, for which both give exactly the same output.
    """

    weights: int
    zeros: int
    negative_zeros: int
    zip_bytes_positive: int
    zip_bytes_random: int
    inputs: int
    agreeing: int


def compare_zero_signs(model: bytes, *, sparsity: float | None, seed: int) -> ZeroSigns:
    """Measure what randomly signed zeros add to the zip of a float32 file.

    Parameters
    ----------
    model : bytes
        The contents of a .tflite file with float32 weights.
    sparsity : float, optional
        Prune it to this fraction first, as `pruned` does; by default its zeros are those it has.
    seed : int
        Of the signs, and of the inputs for which outputs are compared.

    Returns
    -------
    ZeroSigns

    Raises
    ------
    ModelError
        If the bytes are not such a file.
    """
    positive = with_positive_zeros(model if sparsity is None else pruned(model, sparsity))
    signed = with_random_zeros(positive, seed=seed)
    values = list(_weights(bytearray(signed)))
    return ZeroSigns(
        weights=sum(array.size for array in values),
        zeros=sum(int((array == 0).sum()) for array in values),
        negative_zeros=sum(int(((array == 0) & np.signbit(array)).sum()) for array in values),
        zip_bytes_positive=zip_bytes_of(positive),
        zip_bytes_random=zip_bytes_of(signed),
        inputs=INPUTS,
        agreeing=_agreeing(positive, signed, seed=seed),
    )


def pruned(model: bytes, sparsity: float) -> bytes:
    """Set the smallest weights of each layer to +0.0; nothing is trained afterwards.

    Parameters
    ----------
    model : bytes
        As in `compare_zero_signs`.
    sparsity : float
        The fraction of each layer's weights that goes, rounded down to whole weights.
    """
    changed = bytearray(model)
    for values in _weights(changed):
        removed = int(sparsity * values.size)
        by_magnitude = np.argpartition(np.abs(values), min(removed, values.size - 1))
        values[by_magnitude[:removed]] = 0.0
    return bytes(changed)


def with_positive_zeros(model: bytes) -> bytes:
    """Turn every weight of -0.0 into +0.0."""
    changed = bytearray(model)
    for values in _weights(changed):
        np.add(values, 0.0, out=values)
    return bytes(changed)


def with_random_zeros(model: bytes, *, seed: int) -> bytes:
    """Give every weight that is zero a sign at random, both equally likely."""
    changed = bytearray(model)
    rng = np.random.default_rng(seed)
    for values in _weights(changed):
        zeros = np.flatnonzero(values == 0)
        values[zeros[rng.random(len(zeros)) < 1 / 2]] = -0.0
    return bytes(changed)


def _weights(model: bytearray) -> Iterator[FloatArray]:
    """Show the weights of a file where they stand in it, one flat array a layer."""
    # The schema's reader trusts its bytes; LiteRT verifies them.
    open_interpreter(bytes(model))
    root = schema.Model.GetRootAs(model)
    for at in range(root.SubgraphsLength()):
        graph = root.Subgraphs(at)
        for index in weight_indices(root, graph):
            tensor = graph.Tensors(index)
            if tensor.Type() != schema.TensorType.FLOAT32 or tensor.Sparsity() is not None:
                raise ModelError(
                    "Signs of zeros can be compared in dense float32 weights only: give the "
                    "float32 file of the network."
                )
            yield root.Buffers(tensor.Buffer()).DataAsNumpy().view(np.float32)


def _agreeing(one: bytes, other: bytes, *, seed: int) -> int:
    """Count the random inputs for which two files give the same output, to the last bit."""
    first, second = Variant(one), Variant(other)
    inputs = np.random.default_rng(seed).normal(size=(INPUTS, *first.input_shape))
    return int((first.score(inputs) == second.score(inputs)).sum())
