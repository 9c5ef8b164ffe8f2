"""Comparisons of backends: race, crossover and bench."""
