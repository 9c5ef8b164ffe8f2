"""The table of errors: each function that a step computes, on each backend and dtype, against mpmath, in ulp.

`python -m tests.accuracy`, in the project's folder, prints it as Markdown; `test_accuracy.py` holds every cell to its bound.
"""
