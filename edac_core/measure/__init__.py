"""What a variant is worth: discrimination, size, latency."""
