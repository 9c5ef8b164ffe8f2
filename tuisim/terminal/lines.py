"""Lines of text with a tone for each run of characters: what every panel draws and every test reads.

It does not know colours (a tone is a meaning; the canvas gives it a look) nor Textual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rich.cells import cell_len, set_cell_size

from tuisim.terminal.plot import ChartStyle


class Tone(StrEnum):
    """What a run of characters means; the canvas has one component class for each."""

    TEXT = "text"
    DIM = "dim"
    """Units, headings, axes: what is read once."""
    FAINT = "faint"
    """The empty part of a bar."""
    STRONG = "strong"
    ACCENT = "accent"
    """Keys and the one number a panel is about."""
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    AREA = "area"
    """Large filled shapes, quieter than a line."""
    TRAINING = "training"
    VALIDATION = "validation"
    DATA = "data"
    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    UPDATE = "update"


PHASE_TONES = {phase: Tone(phase) for phase in ("data", "forward", "loss", "backward", "update")}
"""One tone per phase of a step, the same in every panel."""

Span = tuple[str, Tone]
Line = tuple[Span, ...]
BLANK: Line = ()
UNLIMITED = 100_000
"""The height of a frame for lines that scroll or are printed."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The room a view has, and how it is asked to draw."""

    width: int
    height: int
    chart_style: ChartStyle = ChartStyle.BRAILLE
    zoomed: bool = False
    """The panel has the whole screen and may return more lines than `height`: it scrolls."""
    pictures: bool = True
    """Whether charts and bars are drawn anew; else those of the last time may stay, and only numbers change."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that stay together; where room is short, blocks of the highest `rank` are left out first."""

    rank: int
    lines: Sequence[Line] = field(default_factory=tuple)


def text(line: Line) -> str:
    """The characters of a line."""
    return "".join(span[0] for span in line)


def width_of(line: Line) -> int:
    """Cells a line takes."""
    return sum([len(span[0]) if span[0].isascii() else cell_len(span[0]) for span in line])


def clip(string: str, width: int) -> str:
    """`string` in at most `width` cells, an ellipsis where it was longer."""
    if cell_len(string) <= width:
        return string
    return set_cell_size(string, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def ends(left: Line, right: Line, width: int) -> Line:
    """`left` at the left edge and `right` at the right one; `right` is left out where both do not fit."""
    room = width - width_of(left) - width_of(right)
    return (*left, (" " * room, Tone.TEXT), *right) if right and room >= 1 else left


def spread(spans: Sequence[Line], width: int, gap: int = 3) -> list[Line]:
    """Put pieces side by side, `gap` cells apart, going on to a new line where the next one does not fit."""
    lines: list[Line] = []
    current: Line = ()
    for piece in spans:
        joined = (*current, (" " * gap, Tone.TEXT), *piece) if current else piece
        if current and width_of(joined) > width:
            lines.append(current)
            joined = piece
        current = joined
    return [*lines, current] if current else lines


def wrap(string: str, width: int, tone: Tone) -> list[Line]:
    """Words folded to `width` cells."""
    return spread([((clip(word, width), tone),) for word in string.split()], width, gap=1)


def fold(blocks: Sequence[Block], height: int) -> list[Line]:
    """The blocks that fit in `height` lines, in their order, the lowest ranks first to be kept."""
    kept: set[int] = set()
    room = height
    for position in sorted(range(len(blocks)), key=lambda i: blocks[i].rank):
        if len(blocks[position].lines) <= room:
            kept.add(position)
            room -= len(blocks[position].lines)
    return [line for i, block in enumerate(blocks) if i in kept for line in block.lines]
