"""The rows of the table: functions, test points and exact values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

from tests.accuracy import exact
from tests.accuracy.formats import FORMATS, Error, Exact, Format, everything, finite, worst
from tests.accuracy.running import Running
from tuisim import RunConfig
from tuisim.program import Kind

Make = Callable[..., Running]
"""Makes a step from dtype, batch, width and other fields of the configuration, on one backend."""
_RATE = 0.01


@dataclass(frozen=True)
class Row:
    """One function; `error` returns its error in one cell."""

    name: str
    error: Callable[[Make, Format], Error]


# ── activations ──


@cache
def _points(dtype: str, within: float) -> Any:
    points = everything(FORMATS[dtype])
    return points[~(np.abs(points) > within)]


@cache
def _activation_is(name: str, dtype: str, derivative: bool, within: float) -> Exact:
    one, points = exact.ACTIVATIONS[name], _points(dtype, within).tolist()
    if derivative and not one.derivative_of_nan:
        points = points[:-1]
    values = [exact.over(one, z, derivative) for z in points]
    if one.scale is None or not derivative:
        return Exact(values)
    return Exact(values, [one.scale(mpf(z)) if np.isfinite(z) else mpf(0) for z in points])


def _activation(name: str, derivative: bool, make: Make, of: Format, within: float = np.inf) -> Error:
    points, one = _points(of.name, within), exact.ACTIVATIONS[name]
    step = make(of.name, 1, points.size, output_activation=name, loss="mse")
    step.write("z1", points)
    step.do(Kind.ACTIVATION)
    true = _activation_is(name, of.name, derivative, within)
    if not derivative:
        return worst(step.read("a1"), true, points, of, one.value_floor)
    step.write("da1", 1.0)
    step.do(Kind.ACTIVATION_GRADIENT)
    return worst(step.read("dz1").ravel()[: true.high.size], true, points, of, one.derivative_floor)


# ── losses ──


def _sparse(of: Format) -> list[float]:
    """Return every eighth point: a loss is one number per call."""
    return finite(of)[::8].tolist()


def _one_by_one(make: Make, of: Format, loss: str, outputs: list[Any], targets: list[Any]) -> list[float]:
    step = make(of.name, 1, np.size(outputs[0]), loss=loss)
    found = []
    for output, target in zip(outputs, targets, strict=True):
        step.write("z1", output)
        step.write("Y", target)
        found.append(step.do(Kind(loss)))
    return found


def _gradient(make: Make, of: Format, loss: str, outputs: Any, targets: Any) -> Any:
    """Return the gradient of all rows, or of one row of all numbers, in one call."""
    outputs = np.atleast_2d(outputs)
    step = make(of.name, *outputs.shape, loss=loss)
    step.write("z1", outputs)
    step.write("Y", targets)
    step.do(Kind(loss))
    return step.read("dz1")


@cache
def _differences(dtype: str) -> list[tuple[float, float]]:
    of = FORMATS[dtype]
    rng = np.random.default_rng(3)
    near = rng.standard_normal((30, 2)).astype(dtype).tolist()
    return [(a, 0.0) for a in _sparse(of)] + [tuple(pair) for pair in near]


def _mse(make: Make, of: Format) -> Error:
    pairs = _differences(of.name)
    found = _one_by_one(make, of, "mse", [a for a, _ in pairs], [t for _, t in pairs])
    return worst(found, Exact([exact.mse(*pair) for pair in pairs]), pairs, of)


def _mse_gradient(make: Make, of: Format) -> Error:
    pairs = _differences(of.name)
    found = _gradient(make, of, "mse", *np.array(pairs).T)
    return worst(found, Exact([2 * (mpf(a) - mpf(t)) / len(pairs) for a, t in pairs]), pairs, of)


@cache
def _logits(dtype: str) -> list[tuple[float, float]]:
    """Return logits and targets: 0, 1 and two values between."""
    shares = np.array([0.0, 1.0, 0.25, 0.9], dtype).tolist()
    return [(z, shares[place % 4]) for place, z in enumerate(finite(FORMATS[dtype])[::7].tolist())]


def _binary(make: Make, of: Format) -> Error:
    pairs = _logits(of.name)
    found = _one_by_one(make, of, "binary_cross_entropy", [z for z, _ in pairs], [t for _, t in pairs])
    scale = [abs(mpf(z)) * mpf(t) if t not in (0, 1) else mpf(0) for z, t in pairs]
    return worst(found, Exact([exact.binary_cross_entropy(*pair) for pair in pairs], scale), pairs, of)


def _binary_gradient(make: Make, of: Format) -> Error:
    pairs = _logits(of.name)
    found = _gradient(make, of, "binary_cross_entropy", *np.array(pairs).T)
    shares = [(exact.sigmoid(mpf(z)) - mpf(t)) / len(pairs) for z, t in pairs]
    scale = [max(exact.sigmoid(mpf(z)), mpf(t)) / len(pairs) for z, t in pairs]
    return worst(found, Exact(shares, scale), pairs, of, 1)


@cache
def _rows_of_logits(dtype: str) -> tuple[list[list[float]], list[int]]:
    """Return rows of three logits, with exact differences or one much larger than the others, and their classes."""
    rng = np.random.default_rng(4)
    grid = np.round(rng.uniform(-60, 60, (40, 3)) * 64) / 64
    near = np.round(rng.uniform(-3, 3, (40, 3)) * 64) / 64
    large = [[z, 0.0, 0.0] for z in finite(FORMATS[dtype])[::13].tolist()]
    rows = [*np.concatenate([grid, near]).astype(dtype).tolist(), *large]
    return rows, [place % 3 for place in range(len(rows))]


def _cross_entropy(make: Make, of: Format) -> Error:
    rows, targets = _rows_of_logits(of.name)
    found = _one_by_one(make, of, "cross_entropy", rows, targets)
    true = Exact([exact.cross_entropy(row, target) for row, target in zip(rows, targets, strict=True)])
    return worst(found, true, list(zip(rows, targets, strict=True)), of)


def _cross_entropy_gradient(make: Make, of: Format) -> Error:
    rows, targets = _rows_of_logits(of.name)
    found = _gradient(make, of, "cross_entropy", rows, targets)
    true, scale, where = [], [], []
    for row, target in zip(rows, targets, strict=True):
        for place, share in enumerate(exact.softmax(row)):
            true.append((share - (place == target)) / len(rows))
            scale.append(max(share, mpf(place == target)) / len(rows))
            where.append((row, target, place))
    return worst(found, Exact(true, scale), where, of, 4)


# ── updates ──


def _update(optimizer: str, make: Make, of: Format) -> Error:
    """Return the error of the optimizer state, and of the step from parameters at 0 and others.

    Errors are in ulp of the largest term. The state is compared with the exact one from the previous state, the parameters
    with the exact ones from the state that the backend has computed.
    """
    points = finite(of)[::5]
    points = points[np.abs(points) < 1e15]
    half, rng = points.size // 2 * 2, np.random.default_rng(5)
    gradient = np.concatenate([points[:half], points[:half]])
    theta = np.where(np.arange(gradient.size) < half, 0.0, rng.standard_normal(gradient.size)).astype(of.name)
    rule = _RULES[optimizer]
    step = make(of.name, 1, gradient.size // 2, optimizer=optimizer, loss="mse", weight_decay=rule.decay)
    step.step.set_learning_rate(_RATE)
    step.write("gradients", gradient)
    step.write("parameters", theta)
    names = [name for name in step.step.program.buffers if name in _AVERAGES]
    before = {
        name: np.where(rng.random(gradient.size) < 0.5, 0.0, _AVERAGES[name](rng, gradient)).astype(of.name) for name in names
    }
    for name in names:
        step.write(name, before[name])
    step.update()
    after = {name: step.read(name).tolist() for name in names}
    new = step.read("parameters").tolist()
    states: list[tuple[float, tuple[mpf, ...], float]] = []
    steps: list[tuple[float, tuple[mpf, ...], float]] = []
    for place, (g, old) in enumerate(zip(gradient.tolist(), theta.tolist(), strict=True)):
        state = [mpf(float(before[name][place])) for name in names]
        made = [mpf(after[name][place]) for name in names]
        states += [(float(value), terms, g) for value, terms in zip(made, rule.state(mpf(g), state), strict=True)]
        steps.append(
            (new[place], (mpf(old) * (1 - mpf(_RATE) * mpf(rule.decay)), *(-term for term in rule.step(mpf(g), made))), g)
        )
    return max(_of_terms(states, of, 1), _of_terms(steps, of, rule.floor), key=lambda error: error.ulps)


def _of_terms(found: list[tuple[float, tuple[mpf, ...], float]], of: Format, floor: float) -> Error:
    """Return the largest error of sums of terms, in ulp of the largest term."""
    if not found:
        return Error(0.0, "no state")
    values, terms, gradients = zip(*found, strict=True)
    true = Exact([mpmath.fsum(some) for some in terms], [max(abs(one) for one in some) for some in terms])
    return worst(values, true, gradients, of, floor)


_AVERAGES: dict[str, Callable[..., Any]] = {
    "velocity": lambda rng, g: rng.standard_normal(g.size) * np.abs(g),
    "first_moment": lambda rng, g: rng.standard_normal(g.size) * np.abs(g),
    "square_average": lambda rng, g: rng.random(g.size) * g.astype(float) ** 2,
    "second_moment": lambda rng, g: rng.random(g.size) * g.astype(float) ** 2,
}
"""State buffers, and values for them that suit a gradient."""


@dataclass(frozen=True)
class Rule:
    """The terms of each new state from gradient and previous state; those of the first step from gradient and new state."""

    state: Callable[[mpf, list[mpf]], list[tuple[mpf, ...]]]
    step: Callable[[mpf, list[mpf]], tuple[mpf, ...]]
    floor: float = 1.0
    """Steps below this may lose their digits: learning rate times gradient or moment is subnormal, and dividing it by ε makes a
    normal number.
    """
    decay: float = 0.0
    """Decoupled weight decay."""


def _average(beta: float, old: mpf, value: mpf) -> tuple[mpf, ...]:
    return mpf(beta) * old, (1 - mpf(beta)) * value


def _rules() -> dict[str, Rule]:
    rate, hyper = mpf(_RATE), RunConfig(layers=(1, 1))
    mu, rho, epsilon = mpf(hyper.momentum), hyper.rmsprop_decay, mpf(hyper.epsilon)
    corrected = 1 - mpf(hyper.beta1), mpmath.sqrt(1 - mpf(hyper.beta2))
    rules = {
        "sgd": Rule(lambda g, s: [], lambda g, s: (rate * g,)),
        "momentum": Rule(lambda g, s: [(mu * s[0], g)], lambda g, s: (rate * s[0],)),
        "nesterov": Rule(lambda g, s: [(mu * s[0], g)], lambda g, s: (rate * g, rate * mu * s[0])),
        "rmsprop": Rule(
            lambda g, s: [_average(rho, s[0], g * g)], lambda g, s: (rate * g / (mpmath.sqrt(s[0]) + epsilon),), 2.0**27
        ),
        "adam": Rule(
            lambda g, s: [_average(hyper.beta1, s[0], g), _average(hyper.beta2, s[1], g * g)],
            lambda g, s: (rate / corrected[0] * s[0] / (mpmath.sqrt(s[1]) / corrected[1] + epsilon),),
            2.0**27,
        ),
    }
    return rules | {"adamw": replace(rules["adam"], decay=0.1)}


_RULES = _rules()

ROWS = (
    *(Row(name, partial(_activation, name, False)) for name in exact.ACTIVATIONS),
    *(Row(f"{name}′", partial(_activation, name, True)) for name in exact.ACTIVATIONS),
    Row("gelu, |z| ≤ 4", partial(_activation, "gelu", False, within=4.0)),
    Row("gelu′, |z| ≤ 4", partial(_activation, "gelu", True, within=4.0)),
    Row("mse", _mse), Row("mse gradient", _mse_gradient),
    Row("cross_entropy", _cross_entropy), Row("cross_entropy gradient", _cross_entropy_gradient),
    Row("binary_cross_entropy", _binary), Row("binary_cross_entropy gradient", _binary_gradient),
    *(Row(name, partial(_update, name)) for name in _RULES),
)  # fmt: skip
