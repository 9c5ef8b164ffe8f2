"""Past runs and the cost fit over them."""
