"""Where the command line prints: a rich console that leaves a closed pipe to whoever runs the command."""

from __future__ import annotations

import os
from typing import Any

from rich.console import Console

LEAST_WIDTH = 60
"""Columns: on a narrower terminal lines are broken, where a figure cut short would be another figure."""


class CommandConsole(Console):
    """rich's own answer to a reader that has left is to exit with 1, which here would mean a failed check."""

    def __init__(self, piped: int = 0, **options: Any) -> None:
        """`piped`: columns where there is neither a terminal to ask nor COLUMNS set."""
        super().__init__(**options)
        wide = piped if not self.is_terminal and "COLUMNS" not in os.environ else 0
        self.width = max(self.width, wide, LEAST_WIDTH)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
