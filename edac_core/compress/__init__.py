"""Pruning and quantisation of trained networks.

Importing this package does not import TensorFlow; its modules do.
"""

SCHEDULES = ("constant", "polynomial")
"""How pruning goes about it; see `edac_core.compress.pruning.make_schedule`."""

REFERENCE_PRECISION = "float32"
"""What every variant is compared with, unpruned."""

DEFAULT_PRECISIONS = ("float32", "float16", "int8")
"""What a plan converts to if it does not say: the papers' precisions."""

PRECISIONS = (*DEFAULT_PRECISIONS, "int8_full", "int16x8", "int4_weights")
"""How weights are stored; see `edac_core.compress.quantization.convert`."""
