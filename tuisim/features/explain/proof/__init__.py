"""Proof of the count, the gradient and the backend."""
