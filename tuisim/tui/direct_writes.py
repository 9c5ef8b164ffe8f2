"""The short way of a few changed rows to the terminal: the strips as they are, written at once.

Textual takes a changed widget through its message queue, a timer and its compositor. For ten frames of a few rows a
second that is half of what a frame costs, and a run pays for it. Where nothing lies over a widget the result is the same
characters at the same cells, so they can be written directly; Textual still has them for whenever it paints anew.
It does not know what the rows say, and leaves everything but plain terminals to Textual.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from textual.app import App
from textual.geometry import Offset
from textual.strip import Strip


def write(app: App[Any], strips: Iterable[tuple[Offset, Strip]]) -> bool:
    """Write each strip from its cell on; false where that is not possible and Textual has to paint."""
    driver = app._driver
    if driver is None or not app.is_running or app.is_headless or app.is_web or app.is_inline or sys.platform == "win32":
        return False
    console = app.console
    pieces = [f"\x1b[{cell.y + 1};{cell.x + 1}H{strip.render(console)}" for cell, strip in strips]
    x, y = app.cursor_position
    driver.write("".join([*pieces, f"\x1b[{y + 1};{x + 1}H"]))
    return True
