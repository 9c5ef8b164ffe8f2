"""The chain from a unit's sum to its weight's update: each value computed again in double precision, and its operations.

Every formula is that of the step program (program.Kind); what it gives is compared with the number in the backend's buffer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tuisim.accounting import FORMULAS, Operations
from tuisim.backends.scalar.activations import ACTIVATIONS
from tuisim.features.inspect.microscope.reading import Array, Reading
from tuisim.program import Kind, Op, Phase


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One value of the chain."""

    name: str
    formula: str
    terms: tuple[tuple[str, float], ...]
    """The terms of a sum, the largest first; empty if it is no sum."""
    value: float
    """Computed from the numbers in the buffers, in double precision."""
    found: float
    """The number in the backend's buffer."""
    ops: tuple[Op, ...]
    """The operations of the program that it belongs to."""
    operations: Operations
    """Scalar operations of this value alone."""
    times: int
    """Such values in a step."""
    dtype: str

    @property
    def ulps(self) -> float:
        """The difference of the two values in units in the last place of the buffer's number."""
        if self.value == self.found or (math.isnan(self.value) and math.isnan(self.found)):
            return 0.0
        if not (math.isfinite(self.value) and math.isfinite(self.found)):
            return math.inf
        return abs(self.value - self.found) / float(np.spacing(np.abs(np.dtype(self.dtype).type(self.found))))


def chain(reading: Reading) -> list[Link]:
    """Return the values of the chain in the order in which a step computes them."""
    return [link for link in (_sum(reading), _activation(reading), *_backward(reading), *_update(reading)) if link is not None]


def ops_of(reading: Reading, *kinds: Kind) -> tuple[Op, ...]:
    """Return the operations of these kinds that belong to the layer, or to all of them."""
    return tuple(op for op in reading.program.ops if op.kind in kinds and op.layer in (reading.place.layer, None))


def _link(
    reading: Reading, name: str, formula: str, value: float, found: float, ops: tuple[Op, ...], times: int,
    terms: tuple[tuple[str, float], ...] = (),
) -> Link:  # fmt: skip
    total = sum((FORMULAS[op.kind].count(op) for op in ops), Operations())
    return Link(name, formula, terms, value, found, ops, divided(total, times), times, reading.program.dtype)


def divided(total: Operations, times: int) -> Operations:
    """Return the operations of one of `times` equal values."""
    assert all(count % times == 0 for count in total.as_dict().values())
    return Operations(**{name: count // times for name, count in total.as_dict().items()})


def _sizes(reading: Reading) -> tuple[int, int, int]:
    layers, k = reading.program.layers, reading.place.layer
    return reading.program.batch, layers[k - 1], layers[k]


def _terms(names: list[str], values: Array) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-np.abs(np.nan_to_num(values)), kind="stable")
    return tuple((names[place], float(values[place])) for place in order.tolist())


def _sum(reading: Reading) -> Link:
    batch, n, m = _sizes(reading)
    k, j = reading.place.layer, reading.place.unit
    products = reading.inputs.astype(np.float64) * reading.weights.astype(np.float64)
    x = "x" if k == 1 else f"a{k - 1}"
    names = [f"{x}[{i}]·W[{i},{j}]" for i in range(n)]
    value = float(products.sum()) + reading.bias
    formula = f"z[{j}] = b[{j}] + Σ {x}[i]·W[i,{j}]"
    terms = ((f"b[{j}]", reading.bias), *_terms(names, products))
    return _link(reading, "sum", formula, value, reading.z, ops_of(reading, Kind.DENSE), batch * m, terms)


def _activation(reading: Reading) -> Link | None:
    ops = ops_of(reading, Kind.ACTIVATION)
    if not ops:
        return None
    batch, _, m = _sizes(reading)
    function = ops[0].function
    assert function is not None
    value = ACTIVATIONS[function].value(reading.z)
    return _link(reading, "activation", f"a = {function}(z)", value, reading.a, ops, batch * m)


def _backward(reading: Reading) -> list[Link]:
    batch, n, m = _sizes(reading)
    k, i, j = reading.place.layer, reading.place.input, reading.place.unit
    links: list[Link] = []
    slopes = ops_of(reading, Kind.ACTIVATION_GRADIENT)
    if len(reading.next_weights):
        products = reading.next_deltas.astype(np.float64) * reading.next_weights.astype(np.float64)
        names = [f"∂L/∂z{k + 1}[{o}]·W{k + 1}[{j},{o}]" for o in range(len(products))]
        ops = tuple(op for op in reading.program.ops if op.kind is Kind.INPUT_GRADIENT and op.layer == k + 1)
        what = f"∂L/∂a[{j}]" if slopes else f"∂L/∂z[{j}]"
        formula = f"{what} = Σ ∂L/∂z{k + 1}[o]·W{k + 1}[{j},o]"
        links.append(
            _link(
                reading,
                "from the next layer",
                formula,
                float(products.sum()),
                reading.da,
                ops,
                batch * m,
                _terms(names, products),
            )
        )
    else:
        ops = tuple(op for op in reading.program.ops if op.phase is Phase.LOSS)
        formula, value = loss_gradient(reading)
        # The operations of the loss do not divide by its elements: they stand as those of the whole step.
        links.append(_link(reading, "loss", formula, value, reading.da, ops, 1))
    if slopes:
        function = slopes[0].function
        assert function is not None
        slope = ACTIVATIONS[function].derivative(reading.z)
        formula = f"∂L/∂z[{j}] = ∂L/∂a[{j}]·{function}′(z), {function}′(z) = {slope:.6g}"
        links.append(_link(reading, "chain rule", formula, reading.da * slope, reading.delta, slopes, batch * m))
    products = reading.input_column.astype(np.float64) * reading.deltas.astype(np.float64)
    names = [f"example {e + 1}" for e in range(len(products))]
    if i is None:
        kind, times, formula = Kind.BIAS_GRADIENT, m, f"∂L/∂b[{j}] = Σ ∂L/∂z[{j}] over the batch"
    else:
        x = "x" if k == 1 else f"a{k - 1}"
        kind, times, formula = Kind.WEIGHT_GRADIENT, n * m, f"∂L/∂W[{i},{j}] = Σ {x}[{i}]·∂L/∂z[{j}] over the batch"
    ops = ops_of(reading, kind)
    links.append(
        _link(reading, "gradient", formula, float(products.sum()), reading.gradient, ops, times, _terms(names, products))
    )
    return links


def loss_gradient(reading: Reading) -> tuple[str, float]:
    """Return the formula and the value of the loss's derivative by the unit's output, for the example."""
    batch, _, m = _sizes(reading)
    j, outputs = reading.place.unit, reading.outputs.astype(np.float64)
    if reading.program.loss == "cross_entropy":
        powers = np.exp(outputs - outputs.max())
        share, target = float(powers[j] / powers.sum()), float(int(reading.target) == j)
        return f"∂L/∂z[{j}] = (softmax − t)/B = ({share:.6g} − {target:.0f})/{batch}", (share - target) / batch
    t = float(np.ravel(reading.target)[j])
    if reading.program.loss == "binary_cross_entropy":
        sigma = 1 / (1 + math.exp(-outputs[j])) if outputs[j] > -700 else 0.0
        return f"∂L/∂z[{j}] = (σ(z) − t)/(B·M) = ({sigma:.6g} − {t:g})/{batch * m}", (sigma - t) / (batch * m)
    return f"∂L/∂a[{j}] = 2·(a − t)/(B·M) = 2·({outputs[j]:.6g} − {t:.6g})/{batch * m}", 2 * (outputs[j] - t) / (batch * m)


def _update(reading: Reading) -> list[Link]:
    """Return the changes of the gradient, and the update."""
    _, n, m = _sizes(reading)
    each, program = (n + 1) * m, reading.program
    g = reading.gradient
    words = ["∂L/∂w"]
    ops: list[Op] = []
    if reading.clip_factor is not None:
        g *= reading.clip_factor
        words.append(f"× clip factor {reading.clip_factor:.6g}")
        ops += [op for op in ops_of(reading, Kind.CLIP) if op.layer is not None]
    theta = reading.before
    rate = reading.scalars.learning_rate * program.schedule.factor(reading.step - 1)
    if program.weight_decay > 0 and program.optimizer == "adamw":
        theta *= 1 - rate * program.weight_decay
        ops += ops_of(reading, Kind.DECOUPLED_DECAY)
    elif program.weight_decay > 0:
        g += program.weight_decay * theta
        words.append(f"+ {program.weight_decay:g}·w")
        ops += ops_of(reading, Kind.WEIGHT_DECAY)
    value, state, formula = updated(reading, theta, g, rate)
    kind = Kind.ADAM if program.optimizer == "adamw" else Kind(program.optimizer)
    ops += ops_of(reading, kind)
    where = f" with g = {' '.join(words)}" if len(words) > 1 else " with g = ∂L/∂w"
    terms = tuple((name, number) for name, number in state.items())
    return [_link(reading, "update", formula + where, value, reading.after, tuple(ops), each, terms)]


def updated(reading: Reading, theta: float, g: float, rate: float) -> tuple[float, dict[str, float], str]:
    """Return the weight after an update by the optimizer's rule (program.Kind), its new numbers, and the formula."""
    optimizer, h = reading.program.optimizer, reading.program.hyperparameters
    old = list(reading.state_before.values())
    if optimizer == "sgd":
        return theta - rate * g, {}, f"w − α·g, α = {rate:.6g}"
    if optimizer in ("momentum", "nesterov"):
        mu = h["momentum"]
        v = mu * old[0] + g
        step = v if optimizer == "momentum" else g + mu * v
        formula = "w − α·v" if optimizer == "momentum" else "w − α·(g + μ·v)"
        return theta - rate * step, {"v = μ·v + g": v}, f"{formula}, α = {rate:.6g}, μ = {mu:g}"
    if optimizer == "rmsprop":
        rho = h["rmsprop_decay"]
        s = rho * old[0] + (1 - rho) * g * g
        value = theta - rate * g / (math.sqrt(s) + h["epsilon"])
        return value, {"s = ρ·s + (1−ρ)·g²": s}, f"w − α·g/(√s + ε), α = {rate:.6g}, ρ = {rho:g}"
    beta1, beta2 = h["beta1"], h["beta2"]
    power1, power2 = reading.scalars.powers[0] * beta1, reading.scalars.powers[1] * beta2
    first, second = beta1 * old[0] + (1 - beta1) * g, beta2 * old[1] + (1 - beta2) * g * g
    root = math.sqrt(1 - power2)
    rate_t, epsilon_t = rate * root / (1 - power1), h["epsilon"] * root
    value = theta - rate_t * first / (math.sqrt(second) + epsilon_t)
    decay = "·(1 − αλ)" if optimizer == "adamw" and reading.program.weight_decay > 0 else ""
    formula = f"w{decay} − αₜ·m/(√v + εₜ), αₜ = {rate_t:.6g}"
    return value, {"m = β₁·m + (1−β₁)·g": first, "v = β₂·v + (1−β₂)·g²": second}, formula
