"""The standard benchmark suite, with other libraries beside it."""
