"""The future: what a run will take, reckoned from what was measured on this machine."""
