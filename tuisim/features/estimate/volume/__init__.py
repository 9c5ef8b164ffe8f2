"""The time a network takes at any volume of data, and known networks."""
