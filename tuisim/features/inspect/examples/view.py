"""The examples as lines: a list, the selected one with its outputs, and the most frequent confusions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuisim import units
from tuisim.errors import printable
from tuisim.features.inspect.examples.examples import ALL, WRONG, Example, Examples
from tuisim.features.inspect.state import Inspected
from tuisim.terminal.lines import BLANK, ChartStyle, ColourScale, Frame, Line, Span, Tone, beside, clip, wrap
from tuisim.terminal.plot import bar
from tuisim.terminal.shades import enlarged, levels, picture
from tuisim.terminal.table import Column, table, visible_rows
from tuisim.terminal.text import loss_text

MAX_NAME = 16
BAR = 20
MAX_SCALE = 4
"""Pixels of the screen on a side of a pixel of an image at most."""


def list_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return a row per example, the selected one marked."""
    found: Examples | None = state.found
    if found is None:
        return wrap(state.words, frame.width, Tone.DIM)
    words = {ALL: f"all {found.rows:,} {found.which} rows", WRONG: f"{found.found:,} {found.which} rows with a wrong answer"}
    listed = state.chosen.listed
    what = words.get(listed) or f"target {listed[0]}, answer {listed[1]}: {units.counted(found.found, 'row')}"
    if listed == ALL and found.wrong is not None:
        what += f", {found.wrong:,} wrong"
    lines: list[Line] = [((clip(f"{what}; the worst first", frame.width), Tone.DIM),)]
    if not found.listed:
        return [*lines, (("no such row", Tone.GOOD),)]
    rows = visible_rows(len(found.listed), frame.height - 2, _place(state, found))
    columns = [Column("", right=False), Column("row"), Column("target"), Column("answer"), Column("loss", min_width=8)]
    cells = [_cells(found.listed[place], place == _place(state, found)) for place in rows]
    return [*lines, *table(columns, cells, frame.width)]


def list_rows(state: Inspected, frame: Frame) -> Sequence[int | None]:
    """Return the place in the list that each line of `list_lines` shows."""
    found: Examples | None = state.found
    if found is None or not found.listed:
        return ()
    return [None, None, *visible_rows(len(found.listed), frame.height - 2, _place(state, found))]


def _place(state: Inspected, found: Examples) -> int:
    return min(int(state.chosen.place), len(found.listed) - 1)


def _cells(example: Example, is_selected: bool) -> list[Span]:
    tone = Tone.STRONG if is_selected else Tone.TEXT
    is_wrong = example.target != example.answer
    return [
        (">" if is_selected else " ", Tone.ACCENT),
        (f"{example.number + 1:,}", Tone.DIM),
        (_name(example.target), tone),
        (_name(example.answer), Tone.WARNING if is_wrong else tone),
        (loss_text(example.loss), tone),
    ]


def _name(words: str) -> str:
    return clip(printable(words, 60), MAX_NAME)


def example_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return the selected example: its inputs as a picture or as numbers, beside or above its outputs."""
    found: Examples | None = state.found
    if found is None or not found.listed:
        return []
    example = found.listed[_place(state, found)]
    outputs = _outputs(found, example, min(frame.width, BAR + MAX_NAME + 12), frame.chart_style)
    if found.side is None:
        inputs = " ".join(f"{value:.4g}" for value in example.inputs[:200])
        shown = [*wrap(f"inputs: {inputs}", frame.width, Tone.TEXT), BLANK, *outputs]
        return shown if frame.zoomed else shown[: frame.height]
    values = np.nan_to_num(example.inputs.reshape(found.side, found.side).astype(np.float64))
    low, high = float(values.min()), float(values.max())
    room = min((frame.width - BAR - MAX_NAME) // found.side, 2 * frame.height // found.side)
    wide = min(max(room, 1), MAX_SCALE)
    values = enlarged(values - low, wide, wide)
    image = picture(levels(values, high - low, ColourScale.UNSIGNED), frame.chart_style)
    if wide * found.side + 3 + MAX_NAME + 10 <= frame.width:
        shown = beside(
            image, _outputs(found, example, frame.width - wide * found.side - 3, frame.chart_style), wide * found.side + 3
        )
    else:
        shown = [*image, BLANK, *outputs]
    return shown if frame.zoomed else shown[: frame.height]


def _outputs(found: Examples, example: Example, width: int, chart_style: ChartStyle) -> list[Line]:
    """Return a bar per output."""
    lines: list[Line] = []
    most = float(np.nanmax(np.abs(example.outputs))) or 1.0
    wide = max(len(_name(name)) for name in found.names)
    for name, value in zip(found.names, example.outputs.tolist(), strict=True):
        is_target = name == example.target and found.wrong is not None
        number = f"{value:8.3f}" if abs(value) < 1000 else f"{value:8.2g}"
        full, rest = bar(abs(value) / max(most, 1.0), max(1, width - wide - 12), chart_style)
        tone = Tone.GOOD if is_target else Tone.WARNING if name == example.answer and found.wrong is not None else Tone.AREA
        lines.append(
            (
                (f"{_name(name):>{wide}}", Tone.STRONG if is_target else Tone.DIM),
                (f"{number} ", Tone.TEXT),
                (full, tone),
                (rest, Tone.FAINT),
            )
        )
    return lines


def confusion_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return the most frequent wrong answers."""
    found: Examples | None = state.found
    if found is None:
        return []
    if found.wrong is None:
        return wrap("the targets are numbers: no answer is right or wrong", frame.width, Tone.DIM)
    if not found.confusions:
        return wrap("no wrong answer", frame.width, Tone.GOOD)
    columns = [Column("target", right=False), Column("answer", right=False), Column("rows")]
    shown = found.confusions if frame.zoomed else found.confusions[: max(1, frame.height - 1)]
    cells: list[list[Span]] = [
        [
            (_name(target), Tone.ACCENT if state.chosen.listed == (target, answer) else Tone.TEXT),
            (_name(answer), Tone.WARNING),
            (f"{count:,}", Tone.TEXT),
        ]
        for target, answer, count in shown
    ]
    return table(columns, cells, frame.width)


def confusion_rows(state: Inspected, frame: Frame) -> Sequence[int | None]:
    """Return the confusion that each line of `confusion_lines` shows."""
    found: Examples | None = state.found
    return () if found is None else [None, *range(len(found.confusions))]
