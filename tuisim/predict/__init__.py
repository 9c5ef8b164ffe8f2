"""Predictions: machine profiles, the cost model, pilots, and records of runs compared with them."""
