"""Panel 2: loss and accuracy over the steps, for training and validation. Values that are not finite are gaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from tuisim import units
from tuisim.errors import printable
from tuisim.features.run.confusion import error_lines
from tuisim.features.run.state import RunState
from tuisim.terminal.chart import Series, plot, sample, x_axis
from tuisim.terminal.lines import Frame, Line, Tone, spread, wrap
from tuisim.terminal.plot import Floats, Scale, loss_scale, percent_scale

MIN_CHART = 3
"""Rows below which only the number is shown, without a curve."""


def curves_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return the loss and, below it, the accuracy if the run has one; a failed run begins with its failure."""
    failure = wrap(printable(state.failure.words, 700), frame.width, Tone.BAD) if state.failure else []
    frame = replace(frame, height=frame.height - len(failure))
    snapshot = state.snapshot
    if snapshot is None:
        return failure or wrap("waiting for the first step", frame.width, Tone.DIM)
    curves = snapshot.curves
    has_accuracy = bool(np.isfinite(np.concatenate((curves.validation_accuracies, curves.training_accuracies))).any())
    loss_words = _legend("loss", snapshot.loss, snapshot.validation_loss, _loss_words, frame)
    accuracy_words: list[Line] = []
    if has_accuracy or snapshot.validation_accuracy is not None:
        accuracy_words = _legend("accuracy", snapshot.training_accuracy, snapshot.validation_accuracy, units.percent, frame)
    accuracy_words = accuracy_words or error_lines(snapshot, frame.width)
    height = frame.height - len(loss_words) - len(accuracy_words) - 1
    below = height * 2 // 5 if has_accuracy and height * 2 // 5 >= MIN_CHART else 0
    if height - below < MIN_CHART:
        return [*failure, *loss_words, *accuracy_words][: frame.height + len(failure)]
    last = max((float(steps[-1]) for steps in (curves.steps, curves.validation_steps) if steps.size), default=0.0)
    x_scale = Scale(0.0, last or 1.0)
    marks = [(float(step), f"learning rate {rate:g}") for step, rate in curves.learning_rates[1:]]

    def chart(training: Series, validation: Floats, rows: int, y_scale: Scale, **options: Any) -> list[Line]:
        series = [training, Series(curves.validation_steps, validation, Tone.VALIDATION, line_style=1)]
        return plot(series, frame.width, rows, frame.chart_style, x_scale, y_scale, **options)

    losses = Series(curves.steps, curves.losses, Tone.TRAINING)
    loss = chart(losses, curves.validation_losses, height - below, _loss_scale(state) or Scale(0.0, 1.0), marks=marks)
    accuracy: list[Line] = []
    if below:
        accuracies = Series(curves.validation_steps, 100 * curves.training_accuracies, Tone.TRAINING)
        validation = 100 * curves.validation_accuracies
        accuracy = chart(accuracies, validation, below, percent_scale(accuracies.y, validation), unit=" %")
    axis = x_axis(frame.width, x_scale, "steps", frame.chart_style)
    return [*failure, *loss_words, *loss, *accuracy_words, *accuracy, axis]


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


def _legend(
    name: str, training: float | None, validation: float | None, written: Callable[[float | None], str], frame: Frame
) -> list[Line]:
    """Return one line with the latest values and how their curves are drawn; the words are shortened to fit."""
    for words, padding in ((("training", "validation"), 8), (("train", "valid"), 0), (("", ""), 0)):
        pieces: list[Line] = [((name.ljust(padding), Tone.STRONG),)]
        for index, (value, tone) in enumerate(((training, Tone.TRAINING), (validation, Tone.VALIDATION))):
            look = sample(index, index, frame.chart_style) + " "
            number = written(value).rjust(7 if padding else 6)
            word = words[index] + " " * bool(words[index])
            pieces.append(((look, tone), (word, Tone.DIM), (number, tone if value is None or isfinite(value) else Tone.BAD)))
        lines = spread(pieces, frame.width, gap=2 if padding else 1)
        if len(lines) == 1:
            break
    return lines[:1]


def _loss_words(loss: float | None) -> str:
    """Return three significant digits, without zeros in the exponent: `6.98e-4`."""
    mantissa, e, exponent = units.figure(loss).partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa
