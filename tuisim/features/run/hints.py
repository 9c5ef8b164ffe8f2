"""Hints on the run below the panels: each in one line, or in two if its edit does not fit beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuisim.engine.health.hint import Hint
from tuisim.features.run.state import RunState
from tuisim.terminal.lines import Frame, Line, Tone, clip, ends, width_of

APPLY_KEY = "h"
LIVE = ("learning_rate", "threads")
"""The fields that an edit changes in the run in progress as well."""
SHORT = 30
"""Rows of the page below which the hints have SHORT_LINES lines."""
SHORT_LINES, LINES = 2, 4


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a hint."""

    hint: int
    line: Line


def edit_of(hint: Hint) -> tuple[str, object]:
    """Return what tells the edit of a hint from that of another."""
    return hint.name, hint.value


def applicable(state: RunState) -> list[Hint]:
    """Return the hints whose edit was not applied yet, the one that the key applies first."""
    return [hint for hint in state.hints if hint.field is not None and edit_of(hint) not in state.applied]


def hint_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return the lines of the hints."""
    return [row.line for row in _rows(state, frame)]


def hint_rows(state: RunState, frame: Frame) -> Sequence[int | None]:
    """Return the hint of each line."""
    return [row.hint for row in _rows(state, frame)]


def _rows(state: RunState, frame: Frame) -> list[Row]:
    """Return as many whole hints as fit."""
    rows: list[Row] = []
    for number, hint in enumerate(state.hints):
        added = [Row(number, line) for line in _lines(state, hint, frame.width)]
        if len(rows) + len(added) > frame.height:
            break
        rows += added
    return rows


def _lines(state: RunState, hint: Hint, width: int) -> list[Line]:
    """Return the fault and its figure, and the edit beside or below it."""
    mark: Line = ((" ! ", Tone.WARNING), (hint.text, Tone.STRONG))
    words: Line = (*mark, (f"  {hint.figure}", Tone.TEXT))
    edit = _edit(state, hint)
    if not edit:
        return [_clipped(words, width)]
    if width_of(words) + width_of(edit) + 3 <= width:
        return [ends(words, edit, width - 1)]
    return [_clipped(words, width), (("   ", Tone.TEXT), *edit)]


def _edit(state: RunState, hint: Hint) -> Line:
    if hint.field is None:
        return ()
    if edit_of(hint) in state.applied:
        done = (
            "in this run and in the form"
            if hint.field in LIVE and not state.status.ended
            else "in the form, R runs again with it"
        )
        return ((f"{hint.remedy}: set {done}", Tone.DIM),)
    key = APPLY_KEY if hint is applicable(state)[0] else "click:"
    return ((f"{key} ", Tone.ACCENT if key == APPLY_KEY else Tone.DIM), (hint.remedy, Tone.TEXT))


def _clipped(line: Line, width: int) -> Line:
    *kept, (last, tone) = line
    return (*kept, (clip(last, width - width_of(tuple(kept)) - 1), tone))
