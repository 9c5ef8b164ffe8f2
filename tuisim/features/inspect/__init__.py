"""Inspect: the network of a run, its numbers, and what it does with the data."""
