"""The run page and `tuisim run`."""
