"""Pruning and quantisation of trained networks.

Importing this package does not import TensorFlow; its modules do.
"""

SCHEDULES = ("constant", "polynomial")
"""How pruning goes about it; see `edac_core.compress.pruning.make_schedule`."""

REFERENCE_PRECISION = "float32"
"""What every variant is compared with, unpruned."""

PRECISIONS = ("float32", "float16", "int8")
"""How weights are stored; see `edac_core.compress.quantization.convert`."""
