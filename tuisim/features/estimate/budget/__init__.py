"""The largest network or volume that fits a time or a memory."""
