"""Layers that Keras does not have, or not in a form that trains fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edac_core.models.backend import keras, tf


class Attention(keras.layers.Layer):  # type: ignore[misc]
    """Weighs the time steps of a sequence and adds them up (Xie et al. 2021; EDAC, figure 4).

    For a sequence x_1 ... x_T of vectors,

        e_t = tanh(x_t W + b_t),   a = softmax(e_1 ... e_T),   y = sum over t of a_t x_t,

    with W of shape (features, 1), shared by all steps, and b of shape (T, 1).

    Input (n, T, features), output (n, features).
    """

    def build(self, input_shape: Any) -> None:
        """Make W and b for sequences of one length."""
        steps, features = input_shape[1:]
        self.kernel = self.add_weight("kernel", (features, 1), initializer="glorot_uniform")
        self.bias = self.add_weight("bias", (steps, 1), initializer="zeros")
        super().build(input_shape)

    def call(self, sequences: Any) -> Any:
        """Return the weighted sums (n, features) of sequences (n, T, features)."""
        energies = tf.tanh(tf.matmul(sequences, self.kernel) + self.bias)
        return tf.reduce_sum(sequences * tf.nn.softmax(energies, axis=1), axis=1)


class Apart(keras.layers.Layer):  # type: ignore[misc]
    """Passes its input on, and keeps the converter from folding what is before into what is after.

    The converter folds a normalisation into the dense layer behind it. In int8 that ruins both: the
    weights then span as many orders of magnitude as the features do, and so do the activations
    that are quantised as they come.
    """

    def call(self, values: Any) -> Any:
        """Return the values; no finite float32 is below the limit."""
        return tf.maximum(values, tf.float32.min)


class HoistedLSTM(keras.layers.LSTM):  # type: ignore[misc]
    """An LSTM whose input projection is one matrix product for all time steps.

    The function and the weights are those of ``tf_keras.layers.LSTM``: the product x_t W of each
    step depends on no other step, so all can be done at once, which reads W once instead of T
    times. Only the recurrent product stays in the loop, which is unrolled.

    It takes sequences (n, T, features) of one length, without mask or initial state, and has
    Keras' default activations.
    """

    def call(self, sequences: Any, training: Any = None) -> Any:  # noqa: ARG002 - Keras passes it
        """Return the last hidden state (n, units), or all (n, T, units)."""
        projected = self._project(sequences)
        hidden = carry = tf.zeros_like(projected[:, 0, : self.units])
        states = []
        for step in tf.unstack(projected, axis=1):
            hidden, carry = self._advance(step, hidden, carry)
            states.append(hidden)
        return tf.stack(states, axis=1) if self.return_sequences else hidden

    def get_prunable_weights(self) -> list[Any]:
        """Return what tfmot prunes of an LSTM: its kernel and its recurrent kernel."""
        return [self.cell.kernel, self.cell.recurrent_kernel]

    def _project(self, sequences: Any) -> Any:
        # As one flat product: the gradient of a batched one holds a kernel for every recording.
        steps, features = sequences.shape[1:]
        flat = tf.reshape(sequences, (-1, features))
        gates = tf.matmul(flat, self.cell.kernel) + self.cell.bias
        return tf.reshape(gates, (-1, steps, 4 * self.units))

    def _advance(self, projected: Any, hidden: Any, carry: Any) -> tuple[Any, Any]:
        gates = projected + tf.matmul(hidden, self.cell.recurrent_kernel)
        into, forget, candidate, out = tf.split(gates, 4, axis=1)
        carry = tf.sigmoid(forget) * carry + tf.sigmoid(into) * tf.tanh(candidate)
        return tf.sigmoid(out) * tf.tanh(carry), carry


def rebuilt(model: Any, replaced: Callable[[Any], list[Any]]) -> Any:
    """Build a chain of layers anew, some of them exchanged, with the same weights in order.

    Parameters
    ----------
    model
        A ``tf_keras.Sequential``, which is left as it is.
    replaced
        Returns what stands in the place of a layer, which is given as a copy without weights;
        what it returns has as many weights, of the same shapes, in the same order.
    """
    copies = [layer.__class__.from_config(layer.get_config()) for layer in model.layers]
    stack = [new for copy in copies for new in replaced(copy)]
    graph = keras.Sequential([keras.Input(model.input_shape[1:]), *stack], name=model.name)
    graph.set_weights(model.get_weights())
    return graph
