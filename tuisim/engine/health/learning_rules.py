"""Rules on the loss over the steps: a learning rate that is too high or too low, overfitting, a plateau."""

from __future__ import annotations

import numpy as np

from tuisim.config.choices import LEARNING_RATES
from tuisim.engine.health.hint import Hint
from tuisim.engine.health.reading import WINDOWS, HealthReading, Trend
from tuisim.units import figure, percent

HALF = WINDOWS // 2
SIGMAS = 3.0
"""Standard errors by which the means of two windows must differ to be called a rise."""
ABOVE_CONSTANT = 1.2
"""Loss over the constant prediction's, from which on the network is worse than none."""
DOUBLE = 2.0
"""Highest mean loss of a window over that of the first step, from which on the rate has raised it."""
RISE = 1.3
"""Mean loss of a window over that of an earlier one, from which on the loss rises."""
SPIKE = 3.0
"""The same over the first step's loss, if it is above the constant prediction's."""
FIT = 0.2
"""Share of the constant prediction's loss below which fluctuations are those of a network that has nearly converged."""
DEAD_BY_RATE = 0.8
"""Share of dead units in the first layer, from which on the rate is called too high."""
SMALL_TRAVEL = 0.5
"""Share of their length that the parameters can have moved by since the rate was set, if all updates had one direction."""
FALL = 0.98
"""The last window's mean over the sixth's, from which on the loss falls."""
GENERALIZATION_LOSS = 0.1
"""Rise of the validation loss over its minimum, as a share of it."""
RECENT = 3
"""The latest validations, whose median loss is judged."""
MIN_VALIDATIONS = 2 * RECENT
"""Validations before which nothing is said about overfitting."""
PLATEAU_FALL = 0.97
"""Mean loss of the last three windows over that of the three before, from which on the loss does not fall."""


def rate_too_high(reading: HealthReading) -> Hint | None:
    """Return a hint if the loss is not finite, stays above a constant prediction's, rises or oscillates.

    A rate that is too large makes the learning curve oscillate violently, and the loss often rises (Goodfellow, Bengio &
    Courville, *Deep Learning*, 2016, section 8.3.1). It also drives ReLU units to where they are dead (Stanford's CS231n
    notes, Neural Networks 1).
    """
    words = _instability(reading)
    if words is None:
        return None
    return Hint("rate_too_high", "learning rate too high", words, "learning_rate", _lower(reading))


def _instability(reading: HealthReading) -> str | None:
    """Return the figures that show a rate that is too high, in words; None if there are none."""
    if reading.divergence is not None:
        return f"the loss became non-finite at step {reading.step + 1:,}"
    trend, constant = reading.trend, reading.data.constant_loss
    if trend is None:
        return None
    means, last, top = trend.means, trend.last, float(np.max(trend.means))
    if last > FIT * constant and top > SPIKE * max(trend.first, constant):
        return f"the loss rose from {figure(trend.first)} to {figure(top)}, and is {figure(last)}"
    if last > ABOVE_CONSTANT * constant and top > DOUBLE * trend.first and last > FALL * float(means[HALF]):
        return f"the loss is {figure(last)}, a constant prediction's {figure(constant)}"
    dead = (reading.hidden[0].dead_units or 0.0) if reading.hidden else 0.0
    if dead >= DEAD_BY_RATE and last > constant / 2:
        return f"{percent(dead, 0)} of layer 1's units are dead and the loss is {figure(last)}"
    if last > FIT * constant and last > RISE * trend.low and _is_rise(trend, int(np.argmin(means)), WINDOWS - 1):
        return f"the loss rose from {figure(trend.low)} to {figure(last)}"
    rises = [i for i in range(1, WINDOWS) if means[i] > max(RISE * means[i - 1], FIT * constant) and _is_rise(trend, i - 1, i)]
    if len(rises) >= 2:
        return f"the loss oscillates between {figure(trend.low)} and {figure(float(np.max(means[rises])))}"
    return None


def _is_rise(trend: Trend, before: int, after: int) -> bool:
    """Return True if the rise from one window to a later one is beyond the noise of the batches."""
    error = float(np.hypot(trend.errors[before], trend.errors[after]))
    return float(trend.means[after] - trend.means[before]) > SIGMAS * error


def rate_too_low(reading: HealthReading) -> Hint | None:
    """Return a hint if the network has not learned and its parameters hardly move, or its loss falls slowly to the end.

    With a rate that is too low, learning is slow or stays at a high loss (Goodfellow et al. 2016, section 8.3.1); an update is
    usually about 1e-3 of the parameters (CS231n, Neural Networks 3).
    """
    trend = reading.trend
    if trend is None or reading.divergence is not None or reading.has_learned:
        return None
    if not reading.layers or any(layer.norm == 0 for layer in reading.layers) or rate_too_high(reading) is not None:
        return None
    ratios = [layer.update_ratio for layer in reading.layers if layer.update_ratio is not None]
    ratio = max(ratios, default=None)
    means = trend.means[HALF:]
    if ratio is not None and ratio * trend.steps < SMALL_TRAVEL:
        words = f"an update is {figure(ratio)} of the parameters, and the loss is still {figure(trend.last)}"
    elif trend.last < FALL * float(means[0]) and bool(np.all(np.diff(means) < 0)):
        words = f"the loss still falls, and is {figure(trend.last)} after {trend.steps:,} steps"
    else:
        return None
    return Hint("rate_too_low", "learning rate too low", words, "learning_rate", _higher(reading))


def overfitting(reading: HealthReading) -> Hint | None:
    """Return a hint if the validation loss has risen above its lowest value and the training loss is below it.

    The generalization loss of Prechelt ("Early stopping — but when?", in *Neural Networks: Tricks of the Trade*, 1998): the
    validation loss over its minimum so far, less one. The remedy is early stopping, which keeps the weights of that minimum;
    a run that has it gets no hint.
    """
    curves, trend = reading.curves, reading.trend
    known = np.isfinite(curves.validation_losses)
    losses, steps = curves.validation_losses[known], curves.validation_steps[known]
    if reading.config.early_stopping == "yes" or len(losses) < MIN_VALIDATIONS or trend is None:
        return None
    at = int(np.argmin(losses))
    lowest, recent = float(losses[at]), float(np.median(losses[-RECENT:]))
    if at >= len(losses) - RECENT or recent < (1 + GENERALIZATION_LOSS) * lowest or trend.last > lowest:
        return None
    words = f"validation loss {figure(recent)}, its lowest {figure(lowest)} at step {int(steps[at]):,}"
    return Hint("overfitting", "overfitting", words, "early_stopping", "yes")


def plateau(reading: HealthReading) -> Hint | None:
    """Return a hint if the loss has not fallen in the last third of the steps, far above 0.

    The remedy is a tenth of the learning rate, as in PyTorch's ReduceLROnPlateau (factor 0.1).
    """
    trend = reading.trend
    if trend is None or reading.divergence is not None or trend.last < FIT / 2 * reading.data.constant_loss:
        return None
    before, after = float(np.mean(trend.means[-6:-3])), float(np.mean(trend.means[-3:]))
    if after < PLATEAU_FALL * before:
        return None
    words = f"the loss has stayed at {figure(after)} for {6 * trend.steps // WINDOWS:,} steps"
    return Hint("plateau", "a plateau", words, "learning_rate", _rounded(reading.learning_rate / 10))


def _lower(reading: HealthReading) -> float:
    """Return a tenth of the rate, or the optimizer's default if that is even lower."""
    return min(_rounded(reading.learning_rate / 10), LEARNING_RATES[reading.config.optimizer])


def _higher(reading: HealthReading) -> float:
    """Return ten times the rate, or the optimizer's default if the rate is far below it."""
    default = LEARNING_RATES[reading.config.optimizer]
    return default if reading.learning_rate < default / 100 else _rounded(reading.learning_rate * 10)


def _rounded(rate: float) -> float:
    """Return a rate without the digits of a division: 0.01, not 0.010000000000000002."""
    return float(f"{rate:.6g}")
