"""Hints on a run that does not learn as it could: readings of a run, and rules that judge them."""
