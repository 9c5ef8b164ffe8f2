"""Runs that have a fault and runs that do not, for each rule of `tuisim.engine.health`."""
