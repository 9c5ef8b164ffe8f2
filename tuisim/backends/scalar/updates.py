"""Kernels of the update rules, one parameter at a time, with a tally.

The constants of a rule (1 − β, μ, λ, the factors of the schedule) cost nothing per step; scalars that change with the step
are computed and tallied in `scheduled_rate`, `decay_factor` and `bias_correction`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuisim.backends.scalar.buffers import ScalarBuffers, ScalarTally
from tuisim.backends.scalar.kernels import Kernel
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


def _clip(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    gradient, factor = (buffers.get(name) for name in op.reads)
    out = []
    for g in gradient:
        out.append(g * factor[0])
        tally.multiply += 1
    buffers.put(op.writes[0], out)


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


def _weight_decay(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    decay, out = buffers.scalars.weight_decay, []
    for g, theta in zip(*(buffers.get(name) for name in op.reads), strict=True):
        out.append(g + decay * theta)
        tally.multiply += 1
        tally.add += 1
    buffers.put(op.writes[0], out)


def _decoupled_decay(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    factor, out = buffers.scalars.decay_factor, []
    for theta in buffers.get(op.reads[0]):
        out.append(theta * factor)
        tally.multiply += 1
    buffers.put(op.writes[0], out)


def _load(op: Op, buffers: ScalarBuffers) -> list[tuple[float, ...]]:
    """Return (θ, g, state…) of each parameter of the layer."""
    return list(zip(*(buffers.get(name) for name in op.reads), strict=True))


def _store(op: Op, buffers: ScalarBuffers, updated: Sequence[tuple[float, ...]]) -> None:
    """Write (θ, state…) of each parameter to the buffers."""
    for name, values in zip(op.writes, zip(*updated, strict=True), strict=True):
        buffers.put(name, list(values))


def _sgd(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    rate, updated = buffers.scalars.rate, []
    for theta, g in _load(op, buffers):
        updated.append((theta - rate * g,))
        tally.multiply += 1
        tally.add += 1
    _store(op, buffers, updated)


def _momentum(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    rate, mu, updated = buffers.scalars.rate, buffers.program.hyperparameters["momentum"], []
    for theta, g, v in _load(op, buffers):
        velocity = mu * v + g
        tally.multiply += 1
        tally.add += 1
        updated.append((theta - rate * velocity, velocity))
        tally.multiply += 1
        tally.add += 1
    _store(op, buffers, updated)


def _nesterov(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    rate, mu, updated = buffers.scalars.rate, buffers.program.hyperparameters["momentum"], []
    for theta, g, v in _load(op, buffers):
        velocity = mu * v + g
        tally.multiply += 1
        tally.add += 1
        ahead = g + mu * velocity
        tally.multiply += 1
        tally.add += 1
        updated.append((theta - rate * ahead, velocity))
        tally.multiply += 1
        tally.add += 1
    _store(op, buffers, updated)


def _rmsprop(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    hyper, rate, updated = buffers.program.hyperparameters, buffers.scalars.rate, []
    for theta, g, s in _load(op, buffers):
        square = hyper["rmsprop_decay"] * s + (1 - hyper["rmsprop_decay"]) * g * g
        tally.multiply += 3
        tally.add += 1
        root = math.sqrt(square) + hyper["epsilon"]
        tally.sqrt += 1
        tally.add += 1
        updated.append((theta - rate * g / root, square))
        tally.multiply += 1
        tally.divide += 1
        tally.add += 1
    _store(op, buffers, updated)


def _adam(op: Op, buffers: ScalarBuffers, tally: ScalarTally) -> None:
    scalars, hyper, updated = buffers.scalars, buffers.program.hyperparameters, []
    for theta, g, m, v in _load(op, buffers):
        first = hyper["beta1"] * m + (1 - hyper["beta1"]) * g
        tally.multiply += 2
        tally.add += 1
        second = hyper["beta2"] * v + (1 - hyper["beta2"]) * g * g
        tally.multiply += 3
        tally.add += 1
        root = math.sqrt(second) + scalars.adam_epsilon
        tally.sqrt += 1
        tally.add += 1
        updated.append((theta - scalars.adam_rate * first / root, first, second))
        tally.multiply += 1
        tally.divide += 1
        tally.add += 1
    _store(op, buffers, updated)


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
