"""LiteRT: load a variant, score one recording or a batch."""

from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edac_core.errors import ModelError

FloatArray = npt.NDArray[np.float32]

_BATCH = 32
_WITHOUT_DELEGATES = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def open_interpreter(model: bytes, *, delegates: bool = True) -> Interpreter:
    """Load a .tflite file, to be run on one thread, and allocate its tensors.

    Parameters
    ----------
    model : bytes
        The contents of the file; LiteRT verifies its structure.
    delegates : bool
        Whether XNNPACK computes what it can. It is faster, and keeps to itself what lies between
        the operators that it takes.

    Returns
    -------
    Interpreter
        Ready to invoke.

    Raises
    ------
    ModelError
        If the bytes are not a model, or need operators that LiteRT does not have.
    """
    try:
        interpreter = Interpreter(
            model_content=model,
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.AUTO if delegates else _WITHOUT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ModelError(
            f"LiteRT cannot load these {len(model)} bytes as a model ({reason}): "
            "give a .tflite file that uses built-in operators only."
        ) from error
    return interpreter


class Variant:
    """A .tflite classifier of two classes, ready to score features.

    Several threads may share one variant: calls wait for each other.

    Parameters
    ----------
    model : bytes
        A .tflite file with one input and one output, (n, 1) of sigmoids or (n, 2) of softmaxes.

    Raises
    ------
    ModelError
        If the bytes cannot be loaded or are not such a classifier.

    Examples
    --------
    >>> variant = Variant(Path("cnn_int8.tflite").read_bytes())  # doctest: +SKIP
    >>> variant.score(features)  # doctest: +SKIP
    array([0.03, 0.91], dtype=float32)
    """

    def __init__(self, model: bytes) -> None:
        self._interpreter = open_interpreter(model)
        self._lock = Lock()
        self._input = _only(self._interpreter.get_input_details(), "input")
        self._output = _only(self._interpreter.get_output_details(), "output")
        self._batch_size = int(self._input["shape"][0])
        self._largest_batch = _BATCH if self._input["shape_signature"][0] == -1 else 1
        self._check_signature()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one recording's features, without the batch axis."""
        return tuple(int(size) for size in self._input["shape"][1:])

    def score(self, features: npt.ArrayLike) -> FloatArray:
        """Probability of the positive class for each recording.

        Parameters
        ----------
        features : array_like, shape (n, *input_shape)
            Front-end output, one row a recording.

        Returns
        -------
        np.ndarray, shape (n,), float32
            Between 0 and 1.

        Raises
        ------
        ModelError
            If the features do not have the model's input shape.
        """
        encoded = self.encode(features)
        starts = range(0, len(encoded), self._largest_batch)
        outputs = [self.run(encoded[at : at + self._largest_batch]) for at in starts]
        return self.decode(np.concatenate(outputs)) if outputs else np.empty(0, np.float32)

    def score_one(self, features: npt.ArrayLike) -> float:
        """Probability of the positive class for one recording.

        Parameters
        ----------
        features : array_like, shape input_shape
            Front-end output of the recording.

        Returns
        -------
        float
            Between 0 and 1.

        Raises
        ------
        ModelError
            If the features do not have the model's input shape.
        """
        return float(self.score(np.asarray(features)[np.newaxis])[0])

    def encode(self, features: npt.ArrayLike) -> npt.NDArray[Any]:
        """Features as the input tensor's type: quantised if the model's input is.

        Parameters
        ----------
        features : array_like, shape (n, *input_shape)
            Front-end output.

        Returns
        -------
        np.ndarray, shape (n, *input_shape)
            In the model's input type.

        Raises
        ------
        ModelError
            If the features do not have the model's input shape.
        """
        values = np.asarray(features, dtype=np.float32)
        if values.shape[1:] != self.input_shape or not values.ndim:
            raise ModelError(
                f"Features have shape {values.shape} but the model takes (n, "
                f"{', '.join(map(str, self.input_shape))}): use the front-end it was trained with."
            )
        scale, zero_point = self._input["quantization"]
        if not scale:
            return values
        limits = np.iinfo(self._input["dtype"])
        steps = np.round(values / scale) + zero_point
        quantized: npt.NDArray[Any] = np.clip(steps, limits.min, limits.max)
        return quantized.astype(self._input["dtype"])

    def run(self, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Set the input tensor, invoke, get the output tensor: what a device does for a batch.

        Parameters
        ----------
        batch : np.ndarray, shape (n, *input_shape)
            From `encode`.

        Returns
        -------
        np.ndarray, shape (n, 1) or (n, 2)
            For `decode`.
        """
        with self._lock:
            if len(batch) != self._batch_size:
                self._resize(len(batch))
            self._interpreter.set_tensor(self._input["index"], batch)
            self._interpreter.invoke()
            output: npt.NDArray[Any] = self._interpreter.get_tensor(self._output["index"])
        return output

    def decode(self, output: npt.NDArray[Any]) -> FloatArray:
        """Probability of the positive class from raw output.

        Parameters
        ----------
        output : np.ndarray, shape (n, 1) or (n, 2)
            From `run`.

        Returns
        -------
        np.ndarray, shape (n,), float32
            The last column, as a probability.
        """
        scale, zero_point = self._output["quantization"]
        positive = output[:, -1].astype(np.float32)
        return (positive - np.float32(zero_point)) * np.float32(scale) if scale else positive

    def _resize(self, batch_size: int) -> None:
        shape = (batch_size, *self.input_shape)
        self._interpreter.resize_tensor_input(self._input["index"], shape, strict=True)
        self._interpreter.allocate_tensors()
        self._batch_size = batch_size

    def _check_signature(self) -> None:
        shape = tuple(int(size) for size in self._output["shape"])
        if len(shape) != 2 or shape[1] not in {1, 2}:  # noqa: PLR2004
            raise ModelError(
                f"The model's output has shape {shape}: "
                "give a classifier with one sigmoid or a softmax over two classes."
            )


def _only(details: list[dict[str, Any]], role: str) -> dict[str, Any]:
    if len(details) != 1:
        raise ModelError(f"The model has {len(details)} {role}s: give one with a single {role}.")
    return details[0]
