"""Measuring: what gradients look like, and what this machine can do at most."""
