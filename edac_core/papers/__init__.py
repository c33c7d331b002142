"""The published tables of the two papers."""
