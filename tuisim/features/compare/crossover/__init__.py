"""The crossover: the faster of two backends over a grid of widths and batches."""
