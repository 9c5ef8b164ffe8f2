"""Which of two backends is faster, over a grid of widths and batches."""
