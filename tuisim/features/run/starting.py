"""The stages of a run's start in one line: those that are done with their times, and the progress of the one that is not."""

from __future__ import annotations

from collections.abc import Sequence

from tuisim import units
from tuisim.provenance import Provenance, Tagged
from tuisim.stages import Stage
from tuisim.terminal.lines import ChartStyle, Line, Tone, clip_line, spread, width_of
from tuisim.terminal.plot import bar

BAR = 12
"""Cells of the bar."""
MIN_SECONDS = 0.005
"""Time from which on a stage that is done is shown."""


def starting_line(stages: Sequence[Stage], width: int, chart_style: ChartStyle = ChartStyle.BRAILLE) -> Line:
    """Return the stages at one moment; where they do not fit, without the bar, then without the oldest ones."""
    shown = [one for one in stages if not one.is_done or one.seconds >= MIN_SECONDS]
    done = [one for one in shown if one.is_done]
    for bar_width, left_out in ((BAR, 0), *((0, count) for count in range(len(done) + 1))):
        pieces = [_piece(one, bar_width, chart_style) for one in shown if one not in done[:left_out]]
        lines = spread([*pieces, *[(("measured", Tone.DIM),)] * bool(pieces)], width)
        if len(lines) <= 1 and all(width_of(line) <= width for line in lines):
            break
    return clip_line(lines[0], width) if lines else (("starting", Tone.DIM),)


def _piece(stage: Stage, bar_width: int, chart_style: ChartStyle) -> Line:
    if stage.is_done:
        return ((f"{stage.name} ", Tone.DIM), (Tagged(units.duration(stage.seconds), Provenance.MEASURED), Tone.TEXT))
    line: Line = ((f"{stage.name} ", Tone.ACCENT),)
    if stage.total:
        if bar_width:
            drawn, rest = bar(stage.done / stage.total, bar_width, chart_style)
            line = (*line, (drawn, Tone.ACCENT), (f"{rest} ", Tone.FAINT))
        line = (*line, (Tagged(stage.progress, Provenance.COUNTED), Tone.TEXT), (", ", Tone.DIM))
    return (*line, (Tagged(f"{stage.seconds:.1f} s", Provenance.MEASURED), Tone.TEXT))
