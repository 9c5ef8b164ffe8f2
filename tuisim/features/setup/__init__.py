"""The setup page: the form, the cost of a run and its prediction."""
