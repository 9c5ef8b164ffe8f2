"""Explanations: the count, the answer, the proof and the counting conventions."""
