"""The waterfall drawn: from the machine's peak to what was achieved, a bar for each part that begins where the last one ended.

It draws what was measured; it measures nothing.
"""

from __future__ import annotations

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.features.profile.view import AnatomyView
from tuisim.features.profile.waterfall import Part, Waterfall
from tuisim.terminal.lines import BLANK, ChartStyle, Frame, Line, Tone, clip, ends, width_of, wrap

TONES = {
    "peak": Tone.GOOD, "products": Tone.FORWARD, "elements": Tone.LOSS, "calls": Tone.BACKWARD, "data": Tone.DATA,
    "slower": Tone.WARNING, "validation": Tone.VALIDATION, "probe": Tone.UPDATE, "making": Tone.DATA,
}  # fmt: skip
"""Of the parts; those that are waiting are quiet."""
LEAST_BAR, MOST_BAR = 6, 60
SHARE, GAP = 8, 2
"""Cells of a share, and between two columns."""


class WaterfallView(AnatomyView):
    """A bar and a share for each part, and as many of the words as there is room for."""

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        found = self.anatomy.waterfall
        if found is None:
            return [] if self.anatomy.failure is not None or (self.anatomy.waits and not frame.zoomed) else self._waiting(frame)
        head, parts = self._head(found, frame.width), [part for part in found.parts if part.share > 0]
        notes = [line for note in found.notes for line in wrap(note, frame.width, Tone.DIM)]
        told = [[*line, *_words(part, frame.width)] for line, part in zip(_bars(parts, frame), parts, strict=True)]
        airy = [line for part in told for line in (*part, BLANK)][:-1]
        for body in (airy, [line for part in told for line in part]):
            if len(head) + len(body) + len(notes) + 2 <= frame.height or frame.zoomed:
                return [*head, BLANK, *body, *([BLANK, *notes] if notes else [])]
        lines = [*head, *(line for bar in _bars(_folded(parts, frame.height - len(head)), frame) for line in bar)]
        most = max(parts, key=lambda part: part.share, default=None)
        rest = [*(_words(most, frame.width, named=True) if most else []), *notes]
        if len(lines) + len(rest) <= frame.height:
            return [*lines, *rest]
        room = frame.height - len(lines)
        return [*lines, *rest[: room - 1], (("… 3 shows all of it", Tone.DIM),)] if room > 0 else lines

    def _head(self, found: Waterfall, width: int) -> list[Line]:
        what = "this run" if self.anatomy.of_run else "one step"
        left: Line = ((f"{what} ", Tone.DIM), (units.duration(found.wall_seconds), Tone.STRONG))
        rates = f"{units.si(found.achieved)} of {units.si(found.peak)}"
        for unit in ("FLOP/s in products", "FLOP/s", ""):
            right: Line = ((rates, Tone.STRONG), (unit, Tone.DIM))
            if width_of(left) + width_of(right) + GAP <= width:
                return [ends(left, right, width)]
        return [left]


def _folded(parts: list[Part], room: int) -> list[Part]:
    """As many as there is room for: of more, the smallest become one at the end."""
    if len(parts) <= room:
        return parts
    kept = sorted(parts, key=lambda part: -part.share)[: max(1, room - 1)]
    rest = [part for part in parts if part not in kept]
    others = Part("others", f"{len(rest)} others", sum(p.seconds for p in rest), sum(p.share for p in rest), "")
    return [*(part for part in parts if part in kept), others]


def _bars(parts: list[Part], frame: Frame) -> list[list[Line]]:
    """One line for each part, all as wide as the frame."""
    label = max((len(part.label) for part in parts), default=0)
    room = min(MOST_BAR, frame.width - label - SHARE - GAP)
    if room < LEAST_BAR:
        room, label = 0, max(1, frame.width - SHARE)
    lines: list[list[Line]] = []
    before = 0.0
    for part in parts:
        tone = TONES.get(part.key, Tone.DIM)
        head: Line = ((clip(part.label, label).ljust(label), Tone.TEXT), (units.percent(part.share).rjust(SHARE), Tone.STRONG))
        lines.append(
            [(*head, (" " * GAP, Tone.TEXT), *_bar(before, part.share, room, tone, frame.chart_style)) if room else head]
        )
        before += part.share
    return lines


def _bar(before: float, share: float, width: int, tone: Tone, chart_style: ChartStyle) -> Line:
    """Its cells of the whole width, at least one."""
    start = min(round(before * width), width - 1)
    end = min(width, max(start + 1, round((before + share) * width)))
    full, empty = ("#", ".") if chart_style is ChartStyle.ASCII else ("━", "─")
    spans = ((empty * start, Tone.FAINT), (full * (end - start), tone), (empty * (width - end), Tone.FAINT))
    return tuple(span for span in spans if span[0])


def _words(part: Part, width: int, named: bool = False) -> list[Line]:
    words = f"{part.label}: {part.help}" if named else part.help
    indent = 0 if named else 2
    return [((" " * indent, Tone.TEXT), *line) for line in wrap(words, width - indent, Tone.DIM)]
