"""The profile of one step: operations, roofline and waterfall."""
