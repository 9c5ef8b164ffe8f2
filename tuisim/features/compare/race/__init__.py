"""One run on several backends in turn."""
