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
from tuisim.marks import Kinds, Mark
from tuisim.study.roofline import Dot, Roofline
from tuisim.tui.widgets.chart import LABEL, Series, plot, sample, x_axis
from tuisim.tui.widgets.lines import PHASE_TONES, Frame, Line, Span, Tone, spread
from tuisim.tui.widgets.plot import Scale
from tuisim.tui.widgets.profile_view import AnatomyView

LEAST = 3
"""Rows below which there is no picture."""
NEAR = (0, 1, -1, 2, -2, 3, -3)
"""Where a letter goes whose cell is taken: so many cells aside, or nowhere."""

Cell = tuple[int, int]
"""(row, column) of the plot, from the top left."""


class RooflineView(AnatomyView):
    """Axes with their units, roofs, and dots named by the letters of the operations beside it."""

    kinds: Kinds = (("", Mark.MEASURED), ("FLOPs a byte", Mark.COUNTED))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        found = self.anatomy.roofline
        if found is None:
            return self._waiting(frame)
        heads = self._heads(found, frame)
        height = frame.height - len(heads) - 1
        if height < LEAST or frame.width < 2 * LABEL:
            return heads[: frame.height]
        x_scale, y_scale = scales(found)
        corners = np.array([x_scale.low, found.roofs.ridge, x_scale.high])
        roofs = Series(corners, np.array([found.roofs.at(x) for x in corners]), Tone.AREA)
        marks = [(found.roofs.ridge, f"ridge {units.figure(found.roofs.ridge)}")]
        drawn = plot([roofs], frame.width, height, frame.marker, x_scale, y_scale, marks)
        size = height, max(1, frame.width - LABEL - 1)
        return [*heads, *overlaid(drawn, self._placed(found.dots, size, x_scale, y_scale)),
                x_axis(frame.width, x_scale, "FLOPs a byte", frame.marker)]  # fmt: skip

    def _heads(self, found: Roofline, frame: Frame) -> list[Line]:
        line = sample(0, False, frame.marker)
        copies, products = f"{units.si(found.roofs.bytes_per_second)}B/s", f"{units.si(found.roofs.flops_per_second)}FLOP/s"
        pieces: list[Line] = [
            (("FLOP/s".rjust(LABEL), Tone.DIM),),
            ((f"{line} ", Tone.AREA), ("roofs: copies ", Tone.DIM), (copies, Tone.TEXT), (", products ", Tone.DIM),
             (products, Tone.TEXT)),
            ((found.of, Tone.DIM),),
        ]  # fmt: skip
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


def scales(found: Roofline) -> tuple[Scale, Scale]:
    """Whole decades round all dots and the ridge."""
    places = [dot.place for dot in found.dots if dot.place is not None]
    across = [place[0] for place in places] + [found.roofs.ridge / 3, found.roofs.ridge * 3]
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
