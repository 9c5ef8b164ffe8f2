"""The command `tuisim doctor`."""

from __future__ import annotations

import json
import sys

from tuisim.cli.console import CommandConsole, print_lines
from tuisim.cli.options import Json
from tuisim.errors import visible
from tuisim.features.machine.doctor.doctor import diagnose
from tuisim.features.machine.doctor.view import lines

PIPED_WIDTH = 160
"""Columns if the output is not a terminal: nearly every line is whole."""


def doctor(*, json_: Json = False) -> int:
    """Show what this machine has, what tuisim can use, and what would fix what is missing."""
    report = diagnose(_progress)
    _progress("")
    if json_:
        print(json.dumps(report.to_dict()))
    else:
        console = CommandConsole(PIPED_WIDTH)
        print_lines(lines(report, console.width), console)
    return 0


def _progress(stage: str) -> None:
    """Show the stage on one line of stderr, if that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{visible(stage)}", end="", file=sys.stderr, flush=True)
