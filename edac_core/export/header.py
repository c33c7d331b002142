"""A model as a C header: what a microcontroller has instead of files."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from edac_core.runtime import open_interpreter

MOST_BYTES = 16_000_000
"""Files larger than this fit no microcontroller, so they are not written as headers."""

_A_LINE = 16
_HEADER = """\
/* {title}
 * SHA-256 of the .tflite file: {sha256}
 * A recording is called positive if its score is at or above EDAC_MODEL_THRESHOLD.
 * Research, not a diagnosis.
 */
#ifndef EDAC_MODEL_H
#define EDAC_MODEL_H

{defines}

#ifdef __cplusplus
#define EDAC_MODEL_ALIGNED alignas(16)
#else
#define EDAC_MODEL_ALIGNED _Alignas(16)
#endif

static const unsigned int edac_model_length = {length}u;
EDAC_MODEL_ALIGNED static const unsigned char edac_model[{length}] = {{
{array}
}};

#endif
"""


def c_header(model: bytes, *, title: str, threshold: float) -> bytes:
    """Write a model as a C header: C11, or C++11 and newer.

    Parameters
    ----------
    model
        The contents of a .tflite file.
    title
        What it is, in one line.
    threshold
        The score at and above which a recording is called positive.

    Returns
    -------
    bytes
        Macros that tell shape, type and quantisation of input and output, the threshold, the
        file's length, and the file as an array that is aligned to 16 bytes.

    Raises
    ------
    ModelError
        If the bytes are not a model.
    """
    head, tail = _HEADER.split("{array}")
    values = {
        "title": title.replace("*/", "* /"),
        "sha256": hashlib.sha256(model).hexdigest(),
        "defines": "\n".join(_defines(model, threshold)),
        "length": len(model),
    }
    parts = (head.format(**values).encode(), array_text(model), tail.format(**values).encode())
    return b"".join(parts)


def array_text(data: bytes) -> bytes:
    """Write bytes as the elements of a C array, 16 a line, without a million calls of a format."""
    full = len(data) // _A_LINE * _A_LINE
    rows = _written()[np.frombuffer(data[:full], np.uint8)].reshape(-1, 5 * _A_LINE)
    lines = np.pad(rows, ((0, 0), (0, 1)), constant_values=ord("\n")).tobytes()
    last = _written()[np.frombuffer(data[full:], np.uint8)].tobytes()
    return (lines + last).rstrip(b",\n")


@functools.cache
def _written() -> npt.NDArray[np.uint8]:
    """Every byte as it is written, shape (256, 5)."""
    text = "".join(f"0x{value:02x}," for value in range(256))
    return np.frombuffer(text.encode(), np.uint8).reshape(256, 5)


def _defines(model: bytes, threshold: float) -> Iterator[str]:
    interpreter = open_interpreter(model)
    for role, details in (
        ("INPUT", interpreter.get_input_details()),
        ("OUTPUT", interpreter.get_output_details()),
    ):
        yield from _described(role, details[0])
    yield f"#define EDAC_MODEL_THRESHOLD {_c_float(threshold)}"


def _described(role: str, tensor: dict[str, Any]) -> Iterator[str]:
    scale, zero_point = tensor["quantization"]
    shape = [int(size) for size in tensor["shape"]]
    # A scale of 0 means that the tensor is not quantised.
    for name, value in (
        ("RANK", len(shape)),
        ("SHAPE", "{" + ", ".join(map(str, shape)) + "}"),
        ("TYPE", f'"{np.dtype(tensor["dtype"]).name}"'),
        ("SCALE", _c_float(scale)),
        ("ZERO_POINT", int(zero_point)),
    ):
        yield f"#define EDAC_MODEL_{role}_{name} {value}"


def _c_float(value: float) -> str:
    return f"{np.float32(value)!s}f"
