"""The count of a network by the conventions of other tools."""
