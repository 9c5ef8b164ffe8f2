"""The microscope: one weight of one unit, forward and back, number by number."""
