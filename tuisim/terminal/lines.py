"""Lines of text with a tone for each run of characters. A tone is a meaning; the canvas and the console give it a colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, zip_longest
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size


class ChartStyle(StrEnum):
    """The characters of a chart: many terminal fonts have no braille, a few have no blocks."""

    BRAILLE = "braille"
    BLOCK = "block"
    ASCII = "ascii"

    @property
    def following(self) -> ChartStyle:
        """Return the next style, or the first after the last."""
        styles = tuple(ChartStyle)
        return styles[(styles.index(self) + 1) % len(styles)]


class Tone(StrEnum):
    """The meaning of a run of characters; the canvas has one component class for each."""

    TEXT = "text"
    DIM = "dim"
    """Units, headings, axes."""
    FAINT = "faint"
    """The empty part of a bar."""
    STRONG = "strong"
    ACCENT = "accent"
    """Keys, and the most important number of a panel."""
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


class ColourScale(StrEnum):
    """The colour scales."""

    SIGNED = "signed"
    """Levels -LEVELS to LEVELS, 0 for a value of zero."""
    UNSIGNED = "unsigned"
    """Levels 0 to LEVELS."""
    CLASSES = "classes"
    """2k for a region of class k, 2k + 1 for a point of it."""


class Colour(NamedTuple):
    """A level of a scale."""

    scale: ColourScale
    level: int


class Shade(NamedTuple):
    """The colours of a cell: of its character, and behind it; None is the colour of the text, or of the page."""

    front: Colour | None
    back: Colour | None


Span = tuple[str, Tone | Shade]
Line = tuple[Span, ...]
BLANK: Line = ()
UNLIMITED = 100_000
"""The height of a frame for lines that scroll or are printed."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The size and style in which a view draws."""

    width: int
    height: int
    chart_style: ChartStyle = ChartStyle.BRAILLE
    zoomed: bool = False
    """True if the panel fills the screen and scrolls, so that there may be more lines than `height`."""
    cursor: int | None = None
    """The column of the chart's plot at which the values are shown; None for no cursor."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that stay together; if there is not enough room, blocks of the highest `rank` are left out first."""

    rank: int
    lines: Sequence[Line]


def text(line: Line) -> str:
    """Return the characters of a line."""
    return "".join(span[0] for span in line)


def width_of(line: Line) -> int:
    """Return the number of cells of a line."""
    return sum([len(span[0]) if span[0].isascii() else cell_len(span[0]) for span in line])


def clip(string: str, width: int) -> str:
    """Shorten `string` to `width` cells, with an ellipsis if it was longer."""
    if cell_len(string) <= width:
        return string
    return set_cell_size(string, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def clip_line(line: Line, width: int) -> Line:
    """Return `line` in at most `width` cells, with an ellipsis where it was longer."""
    clipped: list[Span] = []
    for characters, tone in line if width_of(line) > width else ():
        room = width - width_of(tuple(clipped))
        clipped.append((clip(characters, room), tone))
        if cell_len(characters) > room:
            return tuple(clipped)
    return line


def ends(left: Line, right: Line, width: int) -> Line:
    """Put `left` at the left edge and `right` at the right one; leave out `right` if both do not fit."""
    room = width - width_of(left) - width_of(right)
    return (*left, (" " * room, Tone.TEXT), *right) if right and room >= 1 else left


def beside(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    """Put two columns of lines side by side, the left one in `width` cells."""
    return [(*a, (" " * (width - width_of(a)), Tone.TEXT), *b) for a, b in zip_longest(left, right, fillvalue=BLANK)]


def spread(spans: Sequence[Line], width: int, gap: int = 3) -> list[Line]:
    """Put pieces side by side, `gap` cells apart, with a new line when the next one does not fit."""
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
    """Wrap words to `width` cells."""
    return spread([((clip(word, width), tone),) for word in string.split()], width, gap=1)


def merged(cells: Sequence[Span]) -> Line:
    """Join neighbouring spans of one tone."""
    return tuple(("".join(characters for characters, _ in run), tone) for tone, run in groupby(cells, key=lambda cell: cell[1]))


def fold(blocks: Sequence[Block], height: int) -> list[Line]:
    """Return the lines of the blocks that fit in `height` lines, in their order; the lowest ranks are kept first."""
    kept: set[int] = set()
    room = height
    for position in sorted(range(len(blocks)), key=lambda i: blocks[i].rank):
        if len(blocks[position].lines) <= room:
            kept.add(position)
            room -= len(blocks[position].lines)
    return [line for i, block in enumerate(blocks) if i in kept for line in block.lines]
