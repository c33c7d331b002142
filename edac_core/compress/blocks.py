"""Sparse matrices that LiteRT reads right: their blocks have to be whole.

The converter stores a matrix that is mostly zero as a sparse one, in blocks of `BLOCK_SIZE` if
they hold little else than what is not zero. LiteRT 2.3.0 computes wrong results, without an
error, where the last block of a row is a part of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edac_core.compress.pruning import BLOCK_SIZE
from edac_core.errors import ModelError
from edac_core.models.backend import keras, tf


class PaddedDense(keras.layers.Dense):  # type: ignore[misc]
    """A dense layer that adds zeros to its input until its length is a multiple of a block's."""

    def build(self, input_shape: Any) -> None:
        """Make a kernel with a row for each added zero."""
        *others, features = input_shape
        self.missing = -features % BLOCK_SIZE[0]
        super().build((*others, features + self.missing))
        self.input_spec = None

    def call(self, inputs: Any) -> Any:
        """Return what the layer without added zeros gives."""
        return super().call(
            tf.pad(inputs, [*[[0, 0]] * (inputs.shape.rank - 1), [0, self.missing]])
        )


def fill_blocks(model: Any) -> Any:
    """Return a network of the same function whose dense layers have whole blocks only.

    LiteRT 2.3.0 computes wrong results where the last block of a sparse matrix is a part of one.

    Parameters
    ----------
    model
        A ``tf_keras.Model``. It is left as it is, and returned if nothing is amiss.
    """
    if not any(_has_partial_blocks(layer) for layer in model.layers):
        return model
    filled = keras.models.clone_model(model, clone_function=_filled)
    for layer, before in zip(filled.layers, model.layers, strict=True):
        layer.set_weights(_fitted(before.get_weights(), layer.weights))
    return filled


def refuse_partial_blocks(model: bytes) -> None:
    """Raise if a .tflite file has a sparse matrix whose last block is a part of one.

    Raises
    ------
    ModelError
        Names the tensor.
    """
    root = schema.Model.GetRootAs(model)
    for at in range(root.SubgraphsLength()):
        graph = root.Subgraphs(at)
        for index in range(graph.TensorsLength()):
            tensor = graph.Tensors(index)
            sparsity = tensor.Sparsity()
            is_blocked = sparsity is not None and sparsity.BlockMapLength()
            if is_blocked and tensor.Shape(tensor.ShapeLength() - 1) % BLOCK_SIZE[0]:
                raise ModelError(
                    f"The sparse matrix {tensor.Name().decode(errors='replace')!r} has "
                    f"{tensor.Shape(tensor.ShapeLength() - 1)} inputs, for which LiteRT computes "
                    f"wrong results; give the layer a multiple of {BLOCK_SIZE[0]}."
                )


def _has_partial_blocks(layer: Any) -> bool:
    is_dense = type(layer) is keras.layers.Dense
    return is_dense and bool(layer.kernel.shape[0] % BLOCK_SIZE[0])


def _filled(layer: Any) -> Any:
    kind = PaddedDense if _has_partial_blocks(layer) else type(layer)
    return kind.from_config(layer.get_config())


def _fitted(weights: list[Any], variables: list[Any]) -> list[Any]:
    """Add zeros at the end of weights until they have the variables' shapes."""
    return [
        np.pad(
            weight, [(0, into - size) for into, size in zip(new.shape, weight.shape, strict=True)]
        )
        for weight, new in zip(weights, variables, strict=True)
    ]
