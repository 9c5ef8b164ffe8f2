"""A progress line on stderr, on a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console

from tuisim.errors import visible


class ProgressLine:
    """A line that `show` overwrites, and that is removed at the end of a `with` block."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._write("")

    def show(self, words: str) -> None:
        """Show these words in place of the last ones, cut to the terminal's width."""
        self._write(words[: self._console.width - 1])

    def _write(self, words: str) -> None:
        if self._console.is_terminal:
            print(f"\r\x1b[K{visible(words)}", end="", file=sys.stderr, flush=True)
