"""The update rules on one parameter at a time, tallied like everything else.

The constants of a rule (1 − β, μ, λ, the schedule's factors) are the program's and cost nothing per step; what changes with
the step is computed in `scheduled_rate`, `decay_factor` and `bias_correction` and tallied there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuisim.backends.scalar.kernels import Kernel
from tuisim.backends.scalar.memory import Memory
from tuisim.backends.scalar.tally import Tally
from tuisim.config.choices import SMALLEST_NORMAL
from tuisim.program import CLIP_EPSILON, Kind, Op


def gradient_squares(op: Op, memory: Memory, tally: Tally) -> None:
    gradient, *before = (memory.get(name) for name in op.reads)
    total = before[0][0] if before else None
    for g in gradient:
        square = g * g
        tally.multiply += 1
        if total is None:
            total = square  # the first term of all is added to nothing
        else:
            total += square
            tally.add += 1
    assert total is not None
    memory.put(op.writes[0], [total])


def clip_factor(op: Op, memory: Memory, tally: Tally) -> None:
    limit = memory.program.clip_norm
    assert limit is not None
    norm = math.sqrt(memory.get(op.reads[0])[0]) + CLIP_EPSILON
    tally.sqrt += 1
    tally.add += 1
    scale = limit / norm
    tally.divide += 1
    memory.put(op.writes[0], [1.0 if scale > 1.0 else scale])
    tally.compare += 1


def clip(op: Op, memory: Memory, tally: Tally) -> None:
    gradient, factor = (memory.get(name) for name in op.reads)
    out = []
    for g in gradient:
        out.append(g * factor[0])
        tally.multiply += 1
    memory.put(op.writes[0], out)


def scheduled_rate(op: Op, memory: Memory, tally: Tally) -> None:
    scalars = memory.scalars
    scalars.rate = scalars.given * memory.program.schedule.factor(scalars.steps)
    tally.multiply += 1
    scalars.steps += 1


def decay_factor(op: Op, memory: Memory, tally: Tally) -> None:
    scalars = memory.scalars
    scalars.decay_factor = 1 - scalars.rate * scalars.weight_decay
    tally.multiply += 1
    tally.add += 1


def bias_correction(op: Op, memory: Memory, tally: Tally) -> None:
    scalars, hyper = memory.scalars, memory.program.hyperparameters
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


def weight_decay(op: Op, memory: Memory, tally: Tally) -> None:
    decay, out = memory.scalars.weight_decay, []
    for g, theta in zip(*(memory.get(name) for name in op.reads), strict=True):
        out.append(g + decay * theta)
        tally.multiply += 1
        tally.add += 1
    memory.put(op.writes[0], out)


def decoupled_decay(op: Op, memory: Memory, tally: Tally) -> None:
    factor, out = memory.scalars.decay_factor, []
    for theta in memory.get(op.reads[0]):
        out.append(theta * factor)
        tally.multiply += 1
    memory.put(op.writes[0], out)


def _each(op: Op, memory: Memory) -> list[tuple[float, ...]]:
    """(θ, g, state…) of each parameter of the layer."""
    return list(zip(*(memory.get(name) for name in op.reads), strict=True))


def _keep(op: Op, memory: Memory, updated: Sequence[tuple[float, ...]]) -> None:
    """(θ, state…) of each parameter back into the buffers."""
    for name, values in zip(op.writes, zip(*updated, strict=True), strict=True):
        memory.put(name, list(values))


def sgd(op: Op, memory: Memory, tally: Tally) -> None:
    rate, updated = memory.scalars.rate, []
    for theta, g in _each(op, memory):
        updated.append((theta - rate * g,))
        tally.multiply += 1
        tally.add += 1
    _keep(op, memory, updated)


def momentum(op: Op, memory: Memory, tally: Tally) -> None:
    rate, mu, updated = memory.scalars.rate, memory.program.hyperparameters["momentum"], []
    for theta, g, v in _each(op, memory):
        velocity = mu * v + g
        tally.multiply += 1
        tally.add += 1
        updated.append((theta - rate * velocity, velocity))
        tally.multiply += 1
        tally.add += 1
    _keep(op, memory, updated)


def nesterov(op: Op, memory: Memory, tally: Tally) -> None:
    rate, mu, updated = memory.scalars.rate, memory.program.hyperparameters["momentum"], []
    for theta, g, v in _each(op, memory):
        velocity = mu * v + g
        tally.multiply += 1
        tally.add += 1
        ahead = g + mu * velocity
        tally.multiply += 1
        tally.add += 1
        updated.append((theta - rate * ahead, velocity))
        tally.multiply += 1
        tally.add += 1
    _keep(op, memory, updated)


def rmsprop(op: Op, memory: Memory, tally: Tally) -> None:
    hyper, rate, updated = memory.program.hyperparameters, memory.scalars.rate, []
    for theta, g, s in _each(op, memory):
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
    _keep(op, memory, updated)


def adam(op: Op, memory: Memory, tally: Tally) -> None:
    scalars, hyper, updated = memory.scalars, memory.program.hyperparameters, []
    for theta, g, m, v in _each(op, memory):
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
    _keep(op, memory, updated)


def flush_subnormals(op: Op, memory: Memory, tally: Tally) -> None:
    smallest = SMALLEST_NORMAL[memory.program.dtype]
    for name in op.writes:
        out = []
        for value in memory.get(name):
            subnormal = abs(value) < smallest
            tally.compare += 1
            out.append(0.0 if subnormal else value)
            memory.scalars.flushed += subnormal and value != 0
        memory.put(name, out)


KERNELS: dict[Kind, Kernel] = {
    Kind.GRADIENT_SQUARES: gradient_squares,
    Kind.CLIP_FACTOR: clip_factor,
    Kind.CLIP: clip,
    Kind.SCHEDULED_RATE: scheduled_rate,
    Kind.DECAY_FACTOR: decay_factor,
    Kind.BIAS_CORRECTION: bias_correction,
    Kind.WEIGHT_DECAY: weight_decay,
    Kind.DECOUPLED_DECAY: decoupled_decay,
    Kind.SGD: sgd,
    Kind.MOMENTUM: momentum,
    Kind.NESTEROV: nesterov,
    Kind.RMSPROP: rmsprop,
    Kind.ADAM: adam,
    Kind.FLUSH_SUBNORMALS: flush_subnormals,
}
