"""Panel 5: the validation figures, with the confusion matrix of a run whose targets are classes."""

from __future__ import annotations

from tuisim import units
from tuisim.engine.events import RunFigures
from tuisim.engine.figures import Confusion
from tuisim.errors import printable
from tuisim.features.run.state import RunState
from tuisim.terminal.lines import Frame, Line, Span, Tone, clip, spread, wrap
from tuisim.terminal.table import Column, fits, table

MAX_NAME = 12
"""Cells of a class name at most."""
MAX_PRINTED = 10
"""Classes up to which `tuisim run` prints the matrix."""
HEADING = "rows: target class, columns: predicted class"


def confusion_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return the validation figures and the confusion matrix, or the most frequent confusions if it does not fit."""
    snapshot = state.snapshot
    if snapshot is None or snapshot.validation_loss is None:
        words = "no validation rows" if snapshot is not None and snapshot.curves.validation_steps.size else "not measured yet"
        return wrap(words, frame.width, Tone.DIM)
    figures = wrap(f"after step {snapshot.curves.validation_steps[-1]:,.0f}: {figures_text(snapshot)}", frame.width, Tone.TEXT)
    if snapshot.confusion is None:
        return figures[: frame.height]
    room = max(1, frame.height - len(figures) - 3)
    heading, matrix = f"confusion matrix, {HEADING}", matrix_lines(snapshot.confusion, frame.width)
    if matrix is None:
        heading, matrix = "most frequent confusions", _most_frequent(snapshot.confusion, frame.width, room)
    lines = [*figures, (), *wrap(heading, frame.width, Tone.DIM), *matrix]
    return lines if frame.zoomed else lines[: frame.height]


def figures_text(figures: RunFigures) -> str:
    """Return the validation loss and the figures that the kind of target has, in words."""
    words = [f"loss {units.figure(figures.validation_loss)}"]
    if figures.validation_accuracy is not None:
        words.append(f"accuracy {units.percent(figures.validation_accuracy)}")
    if figures.validation_baseline_accuracy is not None:
        words.append(f"all no {units.percent(figures.validation_baseline_accuracy)}")
    return ", ".join([*words, *error_words(figures)])


def error_words(figures: RunFigures) -> list[str]:
    """Return RMSE and R² of a regression; nothing for other targets."""
    words = []
    if figures.validation_rmse is not None:
        words.append(f"RMSE {units.figure(figures.validation_rmse)}")
    if figures.validation_r2 is not None:
        words.append(f"R² {figures.validation_r2:.3f}")
    return words


def error_lines(figures: RunFigures, width: int) -> list[Line]:
    """Return one line with the validation errors of a regression; none for other targets."""
    pieces: list[Line] = [((words, Tone.VALIDATION),) for words in error_words(figures)]
    return spread([(("validation", Tone.DIM),), *pieces], width, gap=2)[:1] if pieces else []


def matrix_lines(confusion: Confusion, width: int) -> list[Line] | None:
    """Return the matrix with the share of each class that is correct; None if it does not fit in `width`."""
    names = [clip(printable(name, 60), MAX_NAME) for name in confusion.classes]
    columns = [Column("", right=False), *(Column(name) for name in names), Column("correct")]
    rows: list[list[Span]] = []
    for number, (name, counts) in enumerate(zip(names, confusion.counts, strict=True)):
        cells = [(f"{count:,}" if count else "·", _tone(count, column == number)) for column, count in enumerate(counts)]
        total = sum(counts)
        share = units.percent(counts[number] / total) if total else ""
        rows.append([(name, Tone.DIM), *cells, (share, Tone.TEXT)])
    if not fits(columns, rows, width):
        return None
    return table(columns, rows, width, max_gap=2)


def _tone(count: int, is_correct: bool) -> Tone:
    if not count:
        return Tone.FAINT
    return Tone.GOOD if is_correct else Tone.WARNING


def _most_frequent(confusion: Confusion, width: int, rows: int) -> list[Line]:
    """Return the pairs of classes that are confused most often."""
    pairs = [
        (count, target, predicted)
        for target, counts in enumerate(confusion.counts)
        for predicted, count in enumerate(counts)
        if count and target != predicted
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1:]))
    names = [clip(printable(name, 60), MAX_NAME) for name in confusion.classes]
    columns = [Column("target", right=False), Column("predicted", right=False), Column("rows")]
    found: list[list[Span]] = [
        [(names[target], Tone.TEXT), (names[predicted], Tone.TEXT), (f"{count:,}", Tone.WARNING)]
        for count, target, predicted in pairs[:rows]
    ]
    if not found:
        return wrap("no row is confused", width, Tone.GOOD)
    return table(columns, found, width)
