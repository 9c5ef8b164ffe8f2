"""The decision map: what the network answers over its two inputs, or the curve over its one input."""
