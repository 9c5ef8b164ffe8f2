"""Kernels of the update rules, one parameter at a time, with a tally.

The constants of a rule (1 − β, μ, λ, the factors of the schedule) cost nothing per step; scalars that change with the step
are computed and tallied in `scheduled_rate`, `decay_factor` and `bias_correction`.
"""

from __future__ import annotations

import math

from tuisim.backends.scalar.buffers import ScalarBuffers, ScalarTally
from tuisim.backends.scalar.kernels import Formula, Kernel, elementwise
from tuisim.config.choices import SMALLEST_NORMAL
from tuisim.program import CLIP_EPSILON, Kind, Op


def _gradient_squares(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    gradient, *before = (buffers.get(name) for name in op.reads)
    total = before[0][0] if before else None
    for g in gradient:
        square = g * g
        tally.multiply += 1
        if total is None:
            total = square  # the first term needs no addition
        else:
            total += square
            tally.add += 1
    assert total is not None
    buffers.put(op.writes[0], [total])


def _clip_factor(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    limit = buffers.program.clip_norm
    assert limit is not None
    norm = math.sqrt(buffers.get(op.reads[0])[0]) + CLIP_EPSILON
    tally.sqrt += 1
    tally.add += 1
    scale = limit / norm
    tally.divide += 1
    buffers.put(op.writes[0], [1.0 if scale > 1.0 else scale])
    tally.compare += 1


@elementwise(multiply=1)
def _clip(op: Op, buffers: ScalarBuffers) -> Formula:
    return lambda g, factor: (g * factor,)


def _scheduled_rate(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    scalars = buffers.scalars
    scalars.rate = scalars.given * buffers.program.schedule.factor(scalars.steps)
    tally.multiply += 1
    scalars.steps += 1


def _decay_factor(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    scalars = buffers.scalars
    scalars.decay_factor = 1 - scalars.rate * scalars.weight_decay
    tally.multiply += 1
    tally.add += 1


def _bias_correction(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    scalars, hyper = buffers.scalars, buffers.program.hyperparameters
    scalars.powers[0] *= hyper["beta1"]
    scalars.powers[1] *= hyper["beta2"]
    tally.multiply += 2
    rest1, rest2 = 1 - scalars.powers[0], 1 - scalars.powers[1]
    tally.add += 2
    root = math.sqrt(rest2)
    tally.sqrt += 1
    scalars.adam_rate = scalars.rate * root / rest1
    tally.multiply += 1
    tally.divide += 1
    scalars.adam_epsilon = hyper["epsilon"] * root
    tally.multiply += 1


@elementwise(multiply=1, add=1)
def _weight_decay(op: Op, buffers: ScalarBuffers) -> Formula:
    decay = buffers.scalars.weight_decay
    return lambda g, theta: (g + decay * theta,)


@elementwise(multiply=1)
def _decoupled_decay(op: Op, buffers: ScalarBuffers) -> Formula:
    factor = buffers.scalars.decay_factor
    return lambda theta: (theta * factor,)


@elementwise(multiply=1, add=1)
def _sgd(op: Op, buffers: ScalarBuffers) -> Formula:
    rate = buffers.scalars.rate
    return lambda theta, g: (theta - rate * g,)


@elementwise(multiply=2, add=2)
def _momentum(op: Op, buffers: ScalarBuffers) -> Formula:
    rate, mu = buffers.scalars.rate, buffers.program.hyperparameters["momentum"]

    def update(theta: float, g: float, v: float) -> tuple[float, ...]:
        velocity = mu * v + g
        return theta - rate * velocity, velocity

    return update


@elementwise(multiply=3, add=3)
def _nesterov(op: Op, buffers: ScalarBuffers) -> Formula:
    rate, mu = buffers.scalars.rate, buffers.program.hyperparameters["momentum"]

    def update(theta: float, g: float, v: float) -> tuple[float, ...]:
        velocity = mu * v + g
        return theta - rate * (g + mu * velocity), velocity

    return update


@elementwise(multiply=4, divide=1, add=3, sqrt=1)
def _rmsprop(op: Op, buffers: ScalarBuffers) -> Formula:
    hyper, rate = buffers.program.hyperparameters, buffers.scalars.rate
    decay, rest = hyper["rmsprop_decay"], 1 - hyper["rmsprop_decay"]

    def update(theta: float, g: float, s: float) -> tuple[float, ...]:
        square = decay * s + rest * g * g
        return theta - rate * g / (math.sqrt(square) + hyper["epsilon"]), square

    return update


@elementwise(multiply=6, divide=1, add=4, sqrt=1)
def _adam(op: Op, buffers: ScalarBuffers) -> Formula:
    scalars, (beta1, beta2) = buffers.scalars, (buffers.program.hyperparameters[name] for name in ("beta1", "beta2"))

    def update(theta: float, g: float, m: float, v: float) -> tuple[float, ...]:
        first = beta1 * m + (1 - beta1) * g
        second = beta2 * v + (1 - beta2) * g * g
        return theta - scalars.adam_rate * first / (math.sqrt(second) + scalars.adam_epsilon), first, second

    return update


def _flush_subnormals(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    smallest = SMALLEST_NORMAL[buffers.program.dtype]
    for name in op.writes:
        out = []
        for value in buffers.get(name):
            subnormal = abs(value) < smallest
            tally.compare += 1
            out.append(0.0 if subnormal else value)
            buffers.scalars.flushed += subnormal and value != 0
        buffers.put(name, out)


KERNELS: dict[Kind, Kernel] = {
    Kind.GRADIENT_SQUARES: _gradient_squares,
    Kind.CLIP_FACTOR: _clip_factor,
    Kind.CLIP: _clip,
    Kind.SCHEDULED_RATE: _scheduled_rate,
    Kind.DECAY_FACTOR: _decay_factor,
    Kind.BIAS_CORRECTION: _bias_correction,
    Kind.WEIGHT_DECAY: _weight_decay,
    Kind.DECOUPLED_DECAY: _decoupled_decay,
    Kind.SGD: _sgd,
    Kind.MOMENTUM: _momentum,
    Kind.NESTEROV: _nesterov,
    Kind.RMSPROP: _rmsprop,
    Kind.ADAM: _adam,
    Kind.FLUSH_SUBNORMALS: _flush_subnormals,
}
