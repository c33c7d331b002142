"""Handing a variant out as a bundle that explains, checks and reproduces itself."""
