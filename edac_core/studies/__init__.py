"""Studies: plans, jobs, the store of what is known, and the runner."""

BASELINE = "none"
"""The schedule of what is not pruned."""
