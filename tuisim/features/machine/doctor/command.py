"""The command `tuisim doctor`."""

from __future__ import annotations

from tuisim.cli.console import ProgressLine, print_result
from tuisim.cli.options import Json
from tuisim.features.machine.doctor.doctor import diagnose
from tuisim.features.machine.doctor.view import lines

PIPED_WIDTH = 160
"""Columns if the output is not a terminal: nearly every line is whole."""


def doctor(*, json_: Json = False) -> int:
    """Show what this machine has, what tuisim can use, and what would fix what is missing."""
    with ProgressLine() as progress:
        report = diagnose(progress.show)
    print_result(json_, report.to_dict, lambda frame: lines(report, frame.width), PIPED_WIDTH)
    return 0
