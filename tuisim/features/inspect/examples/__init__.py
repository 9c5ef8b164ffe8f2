"""Examples: rows of the data with the network's answers and losses, the worst first."""
