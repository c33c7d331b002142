"""Studies: plans, jobs, the store of what is known, and the runner."""
