"""Known networks from papers, and a lower bound of the time to train them on this machine."""
