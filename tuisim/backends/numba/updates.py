"""The update rules as compiled loops over the parameters of one layer, and the scalars of an update.

`scalars` change from step to step and are shared by the steps of a network; `constants` belong to the program. Both are in
double precision and rounded to the program's dtype once per loop.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tuisim.backends.numba.compiler import inline_kernel, kernel, reduction_kernel
from tuisim.backends.numba.matmul import ONE, ZERO
from tuisim.backends.numba.simd import broadcast, load, multiply_add, simd_width, store

GIVEN, RATE, DECAY_FACTOR, POWER1, POWER2, ADAM_RATE, ADAM_EPSILON, STEPS, FLUSHED, SQUARES, SCALARS = range(11)
"""Indexes in `scalars`: the learning rate as set, that of the step, 1 − αλ, β₁ᵗ, β₂ᵗ, αₜ, εₜ, updates so far, numbers flushed,
the squared gradient norm; and the length."""
WEIGHT_DECAY, CLIP_NORM, CLIP_EPSILON, BETA1, BETA2, EPSILON, SCHEDULE, LENGTH, WARMUP, STEP_FACTOR, FLUSH_BELOW, CONSTANTS = (
    range(12)
)
"""Indexes in `constants`. BETA1 is μ or ρ for the rules that have those. Values below FLUSH_BELOW become 0."""
CONSTANT, STEP, COSINE = range(3)
"""Schedules."""


@reduction_kernel
def gradient_squares(p: Any, s: Any, scalars: Any, size: int, operands: int, g: int, squares: int) -> None:
    """Compute s ← Σg² in the first layer, s ← s + Σg² in the others, in double precision: in float32 1e20² is inf."""
    total = 0.0 if operands == ONE else scalars[SQUARES]
    for j in range(size):
        total += np.float64(s[g + j]) * np.float64(s[g + j])
    scalars[SQUARES] = total
    p[squares] = p.dtype.type(total)


@kernel
def clip_factor(p: Any, scalars: Any, constants: Any, factor: int) -> None:
    """Compute the clip factor."""
    scale = constants[CLIP_NORM] / (math.sqrt(scalars[SQUARES]) + constants[CLIP_EPSILON])
    p[factor] = p.dtype.type(1.0 if scale > 1.0 else scale)  # nan stays nan


@kernel
def clip(p: Any, s: Any, size: int, g: int, factor: int, out: int) -> None:
    """Scale the gradient."""
    scale = p[factor]
    for j in range(size):
        s[out + j] = s[g + j] * scale


@kernel
def weight_decay(s: Any, constants: Any, size: int, g: int, theta: int, out: int) -> None:
    """Add the weight decay to the gradient."""
    decay, wide = s.dtype.type(constants[WEIGHT_DECAY]), simd_width(s)
    # Explicit SIMD: where `out` is `g` the compiler would take one number at a time, eight times as long.
    decays, whole = broadcast(decay), size - size % wide
    for j in range(ZERO, whole, wide):
        store(s, out + j, multiply_add(load(s, g + j), decays, load(s, theta + j)))
    for j in range(whole, size):
        s[out + j] = s[g + j] + decay * s[theta + j]


@kernel
def factor_of(step: float, constants: Any) -> Any:
    """Return the factor of the schedule; the formulas are those of `program.Schedule`."""
    warmup, length = constants[WARMUP], constants[LENGTH]
    if step < warmup:
        return (step + 1.0) / warmup
    after = step - warmup
    if constants[SCHEDULE] == STEP:
        return constants[STEP_FACTOR] ** math.floor(after / length)
    if constants[SCHEDULE] == COSINE:
        rest = length - warmup
        return 0.5 * (1.0 + math.cos(math.pi * after / rest)) if after < rest else 0.0
    return 1.0


@kernel
def scheduled_rate(scalars: Any, constants: Any) -> None:
    """Set the learning rate of the step."""
    scalars[RATE] = scalars[GIVEN] * factor_of(scalars[STEPS], constants)
    scalars[STEPS] += 1.0


@kernel
def decay_factor(scalars: Any, constants: Any) -> None:
    """Compute 1 − αλ."""
    scalars[DECAY_FACTOR] = 1.0 - scalars[RATE] * constants[WEIGHT_DECAY]


@kernel
def bias_correction(scalars: Any, constants: Any) -> None:
    """Compute the scalars of Adam."""
    scalars[POWER1] *= constants[BETA1]
    scalars[POWER2] *= constants[BETA2]
    root = math.sqrt(1.0 - scalars[POWER2])
    scalars[ADAM_RATE] = scalars[RATE] * root / (1.0 - scalars[POWER1])
    scalars[ADAM_EPSILON] = constants[EPSILON] * root


@kernel
def decoupled_decay(s: Any, scalars: Any, size: int, theta: int) -> None:
    """Decay the parameters."""
    factor = s.dtype.type(scalars[DECAY_FACTOR])
    for j in range(size):
        s[theta + j] *= factor


@kernel
def sgd(s: Any, scalars: Any, size: int, theta: int, g: int) -> None:
    """Update by SGD."""
    rate = s.dtype.type(scalars[RATE])
    for j in range(size):
        s[theta + j] -= rate * s[g + j]


@inline_kernel
def flushed(value: Any, smallest: Any) -> Any:
    """Return `value`, or 0 if it is subnormal."""
    return value - value if abs(value) < smallest else value


@inline_kernel
def was_flushed(value: Any, old: Any, kept: Any, smallest: Any) -> int:
    """Return 1 if the optimizer state became 0 because what it kept of `old` was subnormal."""
    return 1 if (value == 0.0) & (old != 0.0) & (abs(kept) < smallest) else 0


def _momentum(nesterov: bool) -> Any:
    """Return the kernel of SGD with momentum v, or with Nesterov momentum."""

    @kernel
    def update(s: Any, scalars: Any, constants: Any, size: int, theta: int, g: int, v: int) -> None:
        real, lost = s.dtype.type, 0
        rate, mu, smallest = real(scalars[RATE]), real(constants[BETA1]), real(constants[FLUSH_BELOW])
        for j in range(size):
            slope, old = s[g + j], s[v + j]
            velocity = flushed(mu * old + slope, smallest)
            lost += was_flushed(velocity, old, mu * old, smallest)
            s[v + j] = velocity
            s[theta + j] -= rate * (slope + mu * velocity if nesterov else velocity)
        scalars[FLUSHED] += lost

    return update


momentum, nesterov = _momentum(False), _momentum(True)


@kernel
def rmsprop(s: Any, scalars: Any, constants: Any, size: int, theta: int, g: int, squares: int) -> None:
    """Update by RMSprop."""
    real, lost = s.dtype.type, 0
    rate, epsilon, smallest = real(scalars[RATE]), real(constants[EPSILON]), real(constants[FLUSH_BELOW])
    decay, rest = real(constants[BETA1]), real(1.0 - constants[BETA1])
    for j in range(size):
        slope, old = s[g + j], s[squares + j]
        square = flushed(decay * old + rest * slope * slope, smallest)
        lost += was_flushed(square, old, decay * old, smallest)
        s[squares + j] = square
        s[theta + j] -= rate * slope / (math.sqrt(square) + epsilon)
    scalars[FLUSHED] += lost


@kernel
def adam(s: Any, scalars: Any, constants: Any, size: int, theta: int, g: int, first: int, second: int) -> None:
    """Update by Adam."""
    real, lost = s.dtype.type, 0
    rate, epsilon, smallest = real(scalars[ADAM_RATE]), real(scalars[ADAM_EPSILON]), real(constants[FLUSH_BELOW])
    beta1, rest1 = real(constants[BETA1]), real(1.0 - constants[BETA1])
    beta2, rest2 = real(constants[BETA2]), real(1.0 - constants[BETA2])
    for j in range(size):
        slope, old, older = s[g + j], s[first + j], s[second + j]
        mean = flushed(beta1 * old + rest1 * slope, smallest)
        square = flushed(beta2 * older + rest2 * slope * slope, smallest)
        lost += was_flushed(mean, old, beta1 * old, smallest) + was_flushed(square, older, beta2 * older, smallest)
        s[first + j] = mean
        s[second + j] = square
        s[theta + j] -= rate * mean / (math.sqrt(square) + epsilon)
    scalars[FLUSHED] += lost
