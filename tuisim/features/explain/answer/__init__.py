"""The seven claims of the answer, counted and measured."""
