"""The roofline drawn: FLOP/s over FLOPs per byte, both logarithmic, the machine's roofs as lines and each operation as a letter.

It draws what was measured; it measures nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import groupby

import numpy as np

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.features.profile.roofline import Dot, Roofline, Roofs
from tuisim.features.profile.view import AnatomyView
from tuisim.measure.ceiling import Ceiling
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.chart import LABEL, Series, plot, sample, x_axis
from tuisim.terminal.lines import PHASE_TONES, Frame, Line, Span, Tone, spread
from tuisim.terminal.plot import DOTS, Scale

LEAST = 3
"""Rows below which there is no picture."""
NEAR = (0, 1, -1, 2, -2, 3, -3)
"""Where a letter goes whose cell is taken: so many cells aside, or nowhere."""

Cell = tuple[int, int]
"""(row, column) of the plot, from the top left."""


class RooflineView(AnatomyView):
    """Axes with their units, roofs, and dots named by the letters of the operations beside it."""

    kinds: Provenances = (("", Provenance.MEASURED), ("FLOPs a byte", Provenance.COUNTED))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        found = self.anatomy.roofline
        if found is None:
            return self._waiting(frame)
        heads = self._heads(found, frame)
        height = frame.height - len(heads) - 1
        if height < LEAST or frame.width < 2 * LABEL:
            return heads[: frame.height]
        x_scale, y_scale = scales(found)
        chosen, levels = self._levels(found)
        size = height, max(1, frame.width - LABEL - 1)
        told = _told_apart(chosen, levels, DOTS[frame.chart_style][0], height, y_scale)
        named = _named(found, told, size, x_scale, y_scale)
        ridge = Roofs(found.roofs.flops_per_second, chosen.per_second).ridge
        words = "" if any(row == 0 for row, _ in named) else f"ridge {units.figure(ridge)}"
        lines = _lines(found, chosen, told, x_scale)
        drawn = plot(lines, frame.width, height, frame.chart_style, x_scale, y_scale, [(ridge, words)])
        return [*heads, *overlaid(drawn, named | self._placed(found.dots, size, x_scale, y_scale)),
                x_axis(frame.width, x_scale, "FLOPs a byte", frame.chart_style)]  # fmt: skip

    def _levels(self, found: Roofline) -> tuple[Ceiling, tuple[Ceiling, ...]]:
        """Return the memory roof of the chosen operation, and those of all levels with its threads."""
        dot = found.dots[self.anatomy.cursor]
        return dot.memory, found.levels_for(dot)

    def _heads(self, found: Roofline, frame: Frame) -> list[Line]:
        chosen, levels = self._levels(found)
        solid = sample(0, False, frame.chart_style)
        products = f"{units.si(found.roofs.flops_per_second)}FLOP/s"
        memory = [(level.level, f"{units.si(level.per_second)}B/s", level == chosen) for level in levels]
        pieces: list[Line] = [
            (("FLOP/s".rjust(LABEL), Tone.DIM),),
            *(
                ((f"{name} ", Tone.ACCENT if here else Tone.DIM), (rate, Tone.ACCENT if here else Tone.TEXT))
                for name, rate, here in memory or [("copies", f"{units.si(chosen.per_second)}B/s", False)]
            ),
            (("products ", Tone.DIM), (products, Tone.TEXT)),
            ((found.of, Tone.DIM),),
        ]
        pieces[1] = ((f"{solid} ", Tone.AREA), ("roofs: ", Tone.DIM), *pieces[1])
        # Whose roofs they are stands in the header too, so it is the first to go.
        return spread(pieces, frame.width, gap=2)[: 1 if frame.height < 14 else 2]

    def _placed(self, dots: tuple[Dot, ...], size: Cell, x_scale: Scale, y_scale: Scale) -> dict[Cell, Span]:
        """A letter for each dot: the cursor's where it belongs, then those of the largest share, the others beside them."""
        anatomy, taken = self.anatomy, dict[Cell, Span]()
        order = sorted(range(len(dots)), key=lambda i: (i != anatomy.cursor, -dots[i].share))
        for i in order:
            place = dots[i].place
            if place is None:
                continue
            row, column = _cell(place, size, x_scale, y_scale)
            at = next((column + by for by in NEAR if (row, column + by) not in taken and 0 <= column + by < size[1]), None)
            if at is None:
                continue
            here = i == anatomy.cursor
            taken[row, at] = (anatomy.letters[i], Tone.ACCENT if here else PHASE_TONES[dots[i].time.row.phase.value])
            if here:
                brackets = {(row, at - 1): "[", (row, at + 1): "]"}
                taken |= {cell: (sign, Tone.ACCENT) for cell, sign in brackets.items() if 0 <= cell[1] < size[1]}
        return taken


def _lines(found: Roofline, chosen: Ceiling, levels: tuple[Ceiling, ...], x_scale: Scale) -> list[Series]:
    """The chosen operation's roof with the flat top, and the slopes of the other levels, dashed, up to the top."""
    drawn: list[Series] = []
    for level in levels or (chosen,):
        roofs, here = Roofs(found.roofs.flops_per_second, level.per_second), level == chosen
        corners = np.array([x_scale.low, roofs.ridge, *([x_scale.high] if here else [])])
        drawn.append(Series(corners, np.array([roofs.at(x) for x in corners]), Tone.AREA, dashes=not here))
    return drawn


def _told_apart(chosen: Ceiling, levels: tuple[Ceiling, ...], dots: int, height: int, y_scale: Scale) -> tuple[Ceiling, ...]:
    """Return the levels that are far enough from each other to be drawn: the chosen one, the last one, then the others."""
    decades = math.log10(y_scale.high / y_scale.low) / (height * dots) * max(1, dots // 2)
    kept: list[Ceiling] = []
    for level in (chosen, *levels[-1:], *levels):
        if level in levels and all(abs(math.log10(level.per_second / other.per_second)) >= decades for other in kept):
            kept.append(level)
    return tuple(level for level in levels if level in kept)


def _named(found: Roofline, levels: tuple[Ceiling, ...], size: Cell, x_scale: Scale, y_scale: Scale) -> dict[Cell, Span]:
    """Put the name of each level where its slope meets the top, a row above it if there is one; names do not overlap."""
    cells: dict[Cell, Span] = {}
    free = 0
    for level in levels:
        top = found.roofs.flops_per_second
        row, column = _cell((top / level.per_second, top), size, x_scale, y_scale)
        start = max(free, column)
        if 0 <= column < size[1] and start + len(level.level) <= size[1]:
            cells |= {(max(0, row - 1), start + i): (letter, Tone.TEXT) for i, letter in enumerate(level.level)}
            free = start + len(level.level) + 1
    return cells


def scales(found: Roofline) -> tuple[Scale, Scale]:
    """Whole decades round all dots and the ridges."""
    places = [dot.place for dot in found.dots if dot.place is not None]
    ridges = [found.roofs.ridge, *(found.roofs.flops_per_second / level.per_second for level in found.levels)]
    across = [place[0] for place in places] + [min(ridges) / 3, max(ridges) * 3]
    up = [place[1] for place in places] + [found.roofs.flops_per_second]
    x_scale = _decades(across)
    return x_scale, _decades([*up, found.roofs.at(x_scale.low)])


def _decades(values: Iterable[float]) -> Scale:
    logs = [math.log10(value) for value in values]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    return Scale(10.0**low, 10.0 ** max(high, low + 1), log=True)


def _cell(place: tuple[float, float], size: Cell, x_scale: Scale, y_scale: Scale) -> Cell:
    rows, columns = size
    return round((1 - y_scale.at(place[1])) * (rows - 1)), round(x_scale.at(place[0]) * (columns - 1))


def overlaid(lines: list[Line], marks: Mapping[Cell, Span]) -> list[Line]:
    """A plot's lines with characters of their own put over its cells."""
    found: list[Line] = []
    for row, line in enumerate(lines):
        cells = [(character, tone) for characters, tone in line for character in characters]
        for (at, column), span in marks.items():
            if at == row:
                cells[LABEL + 1 + column] = span
        found.append(tuple(("".join(c for c, _ in run), tone) for tone, run in groupby(cells, key=lambda cell: cell[1])))
    return found
