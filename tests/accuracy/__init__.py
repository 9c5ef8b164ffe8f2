"""The error table: each function of a step on each backend and dtype, compared with mpmath, in ulp.

`python -m tests.accuracy`, in the project's folder, prints it as Markdown; `test_accuracy.py` checks each cell against its bound.
"""
