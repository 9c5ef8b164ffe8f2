"""Panel 2: loss and accuracy over the steps, for training and validation. Values that are not finite are gaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tuisim import units
from tuisim.engine.events import Curves
from tuisim.errors import printable
from tuisim.features.run.confusion import error_lines
from tuisim.features.run.state import RunState
from tuisim.terminal.chart import Series, plot, sample, x_axis
from tuisim.terminal.lines import Frame, Line, Tone, spread, wrap
from tuisim.terminal.plot import Floats, Scale, loss_scale

MIN_CHART = 3
"""Rows below which only the number is shown, without a curve."""
_ACCURACY = Scale(0.0, 100.0)


def curves_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return the loss and, below it, the accuracy if the run has one; a failed run begins with its failure."""
    failure = wrap(printable(state.failure.words, 700), frame.width, Tone.BAD) if state.failure else []
    frame = replace(frame, height=frame.height - len(failure))
    snapshot = state.snapshot
    if snapshot is None:
        return failure or wrap("waiting for the first step", frame.width, Tone.DIM)
    curves = snapshot.curves
    has_accuracy = _known(curves.validation_accuracies) or _known(curves.training_accuracies)
    loss_words = _legend("loss", snapshot.loss, snapshot.validation_loss, _loss_words, frame)
    accuracy_words: list[Line] = []
    if has_accuracy or snapshot.validation_accuracy is not None:
        accuracy_words = _legend("accuracy", snapshot.training_accuracy, snapshot.validation_accuracy, units.percent, frame)
    accuracy_words = accuracy_words or error_lines(snapshot, frame.width)
    heights = _share(frame.height - len(loss_words) - len(accuracy_words) - 1, has_accuracy)
    if heights[0] < MIN_CHART:
        return [*failure, *loss_words, *accuracy_words][: frame.height + len(failure)]
    x_scale = Scale(0.0, _last_step(curves) or 1.0)
    loss = _loss_chart(curves, frame, heights[0], x_scale, _loss_scale(state) or Scale(0.0, 1.0))
    accuracy = _accuracy_chart(curves, frame, heights[1], x_scale) if heights[1] else []
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


def _share(room: int, has_accuracy: bool) -> tuple[int, int]:
    """Return the rows of the loss chart and of the accuracy chart."""
    accuracy = room * 2 // 5
    return (room - accuracy, accuracy) if has_accuracy and accuracy >= MIN_CHART else (room, 0)


def _loss_chart(curves: Curves, frame: Frame, height: int, x_scale: Scale, y_scale: Scale) -> list[Line]:
    series = [
        Series(curves.steps, curves.losses, Tone.TRAINING),
        Series(curves.validation_steps, curves.validation_losses, Tone.VALIDATION, dashes=True),
    ]
    marks = [(float(step), f"learning rate {rate:g}") for step, rate in curves.learning_rates[1:]]
    return plot(series, frame.width, height, frame.chart_style, x_scale, y_scale, marks)


def _accuracy_chart(curves: Curves, frame: Frame, height: int, x_scale: Scale) -> list[Line]:
    series = [
        Series(curves.validation_steps, 100 * curves.training_accuracies, Tone.TRAINING),
        Series(curves.validation_steps, 100 * curves.validation_accuracies, Tone.VALIDATION, dashes=True),
    ]
    return plot(series, frame.width, height, frame.chart_style, x_scale, _ACCURACY, unit=" %")


def _legend(
    name: str, training: float | None, validation: float | None, written: Callable[[float | None], str], frame: Frame
) -> list[Line]:
    """Return one line with the latest values and how their curves are drawn; the words are shortened to fit."""
    for words, padding in ((("training", "validation"), 8), (("train", "valid"), 0), (("", ""), 0)):
        pieces: list[Line] = [((name.ljust(padding), Tone.STRONG),)]
        for index, (value, tone) in enumerate(((training, Tone.TRAINING), (validation, Tone.VALIDATION))):
            look = sample(index, index == 1, frame.chart_style) + " "
            number = written(value).rjust(7 if padding else 6)
            word = words[index] + " " * bool(words[index])
            pieces.append(((look, tone), (word, Tone.DIM), (number, Tone.BAD if _not_finite(value) else tone)))
        lines = spread(pieces, frame.width, gap=2 if padding else 1)
        if len(lines) == 1:
            break
    return lines[:1]


def _loss_words(loss: float | None) -> str:
    """Return three significant digits, without zeros in the exponent: `6.98e-4`."""
    mantissa, e, exponent = units.figure(loss).partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def _not_finite(value: float | None) -> bool:
    return value is not None and not np.isfinite(value)


def _known(values: Floats) -> bool:
    return bool(np.isfinite(values).any())


def _last_step(curves: Curves) -> float:
    ends: Sequence[Floats] = [part for part in (curves.steps, curves.validation_steps) if part.size]
    return max((float(part[-1]) for part in ends), default=0.0)
