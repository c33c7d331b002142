"""Recordings: one table for every data set, its audit and its split."""
