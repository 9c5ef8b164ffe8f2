"""Panel 2: loss and accuracy over steps, epochs or seconds, for training and validation. Values that are not finite are gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from tuisim import units
from tuisim.engine.events import Branch, Snapshot
from tuisim.errors import printable
from tuisim.features.run.confusion import error_lines
from tuisim.features.run.state import RunState
from tuisim.terminal.chart import RAW, Series, plot, sample, x_at, x_axis
from tuisim.terminal.lines import Frame, Line, Tone, spread, wrap
from tuisim.terminal.plot import Floats, Scale, loss_scale, percent_scale, smoothed
from tuisim.terminal.text import loss_text

MIN_CHART = 3
"""Rows below which only the number is shown, without a curve."""
MAX_BRANCHES = 3
"""Earlier branches that are still drawn, the latest ones."""
BRANCH_STYLE = 2
"""Dotted."""
SMOOTHINGS = (0.0, 0.6, 0.9, 0.98)
_X_WORDS: Mapping[str, Callable[[float], str]] = {
    "steps": lambda at: f"step {round(at):,}",
    "epochs": lambda at: f"epoch {at:,.2f}",
    "seconds": lambda at: f"{at:,.2f} s",
}
"""The cursor's place in words, by x axis."""
X_AXES = tuple(_X_WORDS)

Along = Callable[[Floats], Floats]
"""Return the places of steps on the x axis."""


@dataclass(frozen=True, slots=True)
class _Curve:
    """The training or validation values of a plot."""

    x: Floats
    y: Floats
    tone: Tone
    line_style: int

    def series(self, weight: float) -> list[Series]:
        """Return the curve; a smoothed one lies over its raw values."""
        if not weight:
            return [Series(self.x, self.y, self.tone, self.line_style)]
        return [Series(self.x, self.y, Tone.FAINT, RAW), Series(self.x, smoothed(self.y, weight), self.tone, self.line_style)]

    def at(self, x: float, weight: float) -> float | None:
        """Return the value of the point nearest to `x`; None if there is none."""
        if not self.x.size:
            return None
        value = float((smoothed(self.y, weight) if weight else self.y)[np.argmin(np.abs(self.x - x))])
        return value if isfinite(value) else None


def curves_title(state: RunState) -> str:
    """Return the panel's title, with what was chosen by key."""
    words = ["log"] * is_log(state) + [f"smooth {state.smoothing:g}"] * (state.smoothing > 0)
    over = [state.x_axis] * (state.x_axis != "steps")
    return " · ".join(["loss and accuracy", *over, *words])


def curves_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return the loss and, below it, the accuracy if the run has one; a failed run begins with its failure."""
    failure = wrap(printable(state.failure.words, 700), frame.width, Tone.BAD) if state.failure else []
    frame = replace(frame, height=frame.height - len(failure))
    snapshot = state.snapshot
    if snapshot is None:
        return failure or wrap("waiting for the first step", frame.width, Tone.DIM)
    curves, along = snapshot.curves, _along(state, snapshot)
    has_accuracy = bool(np.isfinite(np.concatenate((curves.validation_accuracies, curves.training_accuracies))).any())
    measured = along(curves.validation_steps)
    losses = (
        _Curve(along(curves.steps), curves.losses, Tone.TRAINING, 0),
        _Curve(measured, curves.validation_losses, Tone.VALIDATION, 1),
    )
    accuracies = (
        _Curve(measured, 100 * curves.training_accuracies, Tone.TRAINING, 0),
        _Curve(measured, 100 * curves.validation_accuracies, Tone.VALIDATION, 1),
    )
    earlier = _earlier_branches(snapshot, along)
    last = max((float(one.x[-1]) for one in (*losses, *earlier) if one.x.size), default=0.0)
    x_scale = Scale(0.0, last or 1.0)
    at = None if frame.cursor is None else x_at(frame.cursor, frame.width, x_scale)
    values: list[float | None] = [snapshot.loss, snapshot.validation_loss]
    shares: list[float | None] = [snapshot.training_accuracy, snapshot.validation_accuracy]
    where = ""
    if at is not None:
        where = " at " + _X_WORDS[state.x_axis](at)
        values = [one.at(at, state.smoothing) for one in losses]
        shares = [None if (value := one.at(at, state.smoothing)) is None else value / 100 for one in accuracies]
    loss_words = _legend("loss" + where, values, loss_text, frame)
    accuracy_words: list[Line] = []
    if has_accuracy or snapshot.validation_accuracy is not None:
        accuracy_words = _legend("accuracy" + where, shares, units.percent, frame)
    accuracy_words = accuracy_words or error_lines(snapshot, frame.width)
    height = frame.height - len(loss_words) - len(accuracy_words) - 1
    below = height * 2 // 5 if has_accuracy and height * 2 // 5 >= MIN_CHART else 0
    if height - below < MIN_CHART:
        return [*failure, *loss_words, *accuracy_words][: frame.height + len(failure)]
    cursor = [] if at is None else [(at, "")]
    marks = [(float(step), f"learning rate {rate:g}") for step, rate in curves.learning_rates[1:]]
    marks += [(float(snapshot.step), f"step {snapshot.step:,}")] * snapshot.is_past
    marks += [(float(branch.step), _branch_words(branch)) for branch in snapshot.branches[-MAX_BRANCHES:]]
    placed = [(float(along(np.array([step]))[0]), words) for step, words in marks]

    def chart(drawn: Sequence[_Curve], rows: int, y_scale: Scale, behind: Sequence[_Curve] = (), **options: Any) -> list[Line]:
        series = [one.series(state.smoothing) for one in (*behind, *drawn)]
        # Raw values lie behind every smoothed curve.
        ordered = [one[0] for one in series if len(one) > 1] + [one[-1] for one in series]
        return plot(ordered, frame.width, rows, frame.chart_style, x_scale, y_scale, **options)

    loss = chart(losses, height - below, _loss_scale(state) or Scale(0.0, 1.0), earlier, marks=[*cursor, *placed])
    accuracy: list[Line] = []
    if below:
        accuracy = chart(accuracies, below, percent_scale(*(one.y for one in accuracies)), unit=" %", marks=cursor)
    axis = x_axis(frame.width, x_scale, state.x_axis, frame.chart_style)
    return [*failure, *loss_words, *loss, *accuracy_words, *accuracy, axis]


def _earlier_branches(snapshot: Snapshot, along: Along) -> list[_Curve]:
    """Return the training losses of the earlier branches, from the steps at which a change began another one."""
    found = []
    for branch in snapshot.branches[-MAX_BRANCHES:]:
        after = branch.curves.steps >= branch.step
        found.append(_Curve(along(branch.curves.steps[after]), branch.curves.losses[after], Tone.DIM, BRANCH_STYLE))
    return found


def _branch_words(branch: Branch) -> str:
    """Return the learning rate of an earlier branch, which tells it from the one that is trained."""
    return f"earlier branch: learning rate {branch.curves.learning_rates[-1][1]:g}"


def _along(state: RunState, snapshot: Snapshot) -> Along:
    """Return the map from steps to the x axis."""
    curves, per_epoch = snapshot.curves, state.ledger.steps_per_epoch
    if state.x_axis == "epochs" and per_epoch:
        return lambda steps: steps / per_epoch
    if state.x_axis == "seconds":
        known = np.concatenate(([0.0], curves.clock_steps, [float(snapshot.step)]))
        seconds = np.concatenate(([0.0], curves.clock_seconds, [snapshot.training_seconds]))
        return lambda steps: np.interp(steps, known, seconds)
    return lambda steps: steps


def _loss_scale(state: RunState) -> Scale | None:
    """Return the scale of the loss axis; None if there is no loss yet."""
    if state.snapshot is None:
        return None
    curves = state.snapshot.curves
    return loss_scale(curves.losses, curves.validation_losses, log=state.log_scale)


def is_log(state: RunState) -> bool:
    """Return True if the loss axis is logarithmic."""
    scale = _loss_scale(state)
    return scale is not None and scale.log


def _legend(name: str, values: Sequence[float | None], written: Callable[[float | None], str], frame: Frame) -> list[Line]:
    """Return one line with the training and the validation value and how their curves are drawn; words are shortened to fit."""
    for words, padding in ((("training", "validation"), 8), (("train", "valid"), 0), (("", ""), 0)):
        pieces: list[Line] = [((name.ljust(padding), Tone.STRONG),)]
        for index, (value, tone) in enumerate(zip(values, (Tone.TRAINING, Tone.VALIDATION), strict=True)):
            look = sample(index, frame.chart_style) + " "
            number = written(value).rjust(7 if padding else 6)
            word = words[index] + " " * bool(words[index])
            pieces.append(((look, tone), (word, Tone.DIM), (number, tone if value is None or isfinite(value) else Tone.BAD)))
        lines = spread(pieces, frame.width, gap=2 if padding else 1)
        if len(lines) == 1:
            break
    return lines[:1]
