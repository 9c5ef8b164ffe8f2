"""Time estimates: any volume, known networks, budgets and predictions."""
