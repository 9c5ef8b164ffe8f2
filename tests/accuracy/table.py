"""The error table as Markdown."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from tests.accuracy.bounds import NOTES, REASONS
from tests.accuracy.formats import FORMATS, Error
from tests.accuracy.rows import ROWS, Row
from tests.accuracy.running import CELLS, Running, bound

_HEADINGS = {"scalar": "scalar", "numpy": "NumPy", "numba": "Numba", "cupy": "CuPy's kernels"}


def errors(row: Row, binds: Mapping[str, Callable[[Any], Any]]) -> list[Error | None]:
    """Return the errors of a row, None if a backend cannot run here."""
    return [
        row.error(partial(Running, backend, binds[backend]), FORMATS[dtype]) if backend in binds else None
        for backend, dtype in CELLS
    ]


def markdown() -> list[str]:
    headings = ["scalar" if name == "scalar" else f"{_HEADINGS[name]} {dtype}" for name, dtype in CELLS]
    lines = [f"| | {' | '.join(headings)} |", f"|---|{'--:|' * len(CELLS)}"]
    reasons = list(dict.fromkeys(REASONS.values()))
    with bound() as binds:
        for row in ROWS:
            mark = f" ({reasons.index(REASONS[row.name]) + 1})" if row.name in REASONS else ""
            lines.append(f"| {_name(row.name)}{mark} | {' | '.join(_cell(one) for one in errors(row, binds))} |")
    lines += ["", *(f"{number}. {reason[0].upper()}{reason[1:]}." for number, reason in enumerate(reasons, 1))]
    made_with = f"NumPy {np.__version__}, Python {platform.python_version()}, {platform.machine()}"
    return [*lines, "", *(f"- {note}" for note in NOTES), "", f"Measured with {made_with}, by `python -m tests.accuracy`."]


def _name(name: str) -> str:
    return name.replace("|", r"\|")


def _cell(error: Error | None) -> str:
    if error is None:
        return ""
    return f"{error.ulps:.0f}" if error.ulps == 0 or error.ulps >= 100 else f"{error.ulps:.1f}"


def main() -> None:
    print("\n".join(markdown()))
