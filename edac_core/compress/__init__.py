"""Pruning and quantisation of trained networks."""
