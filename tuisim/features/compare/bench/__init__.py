"""The standard benchmark suite, compared with other libraries."""
