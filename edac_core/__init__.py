"""EDAC Explorer's core: train, compress and measure audio classifiers."""

__version__ = "0.1.0"
