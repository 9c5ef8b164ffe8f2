"""Where the command line prints: a rich console that leaves a closed pipe to whoever runs the command."""

from __future__ import annotations

from rich.console import Console


class CommandConsole(Console):
    """rich's own answer to a reader that has left is to exit with 1, which here would mean a failed check."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError
