"""`tuisim predict`: the time and memory of a run before it starts."""
