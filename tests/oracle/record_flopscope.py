"""Record what flopscope counts for training steps written with its NumPy functions: writes flopscope.json beside this file.

Needs flopscope, which the tests do not: `python tests/oracle/record_flopscope.py`. flopscope counts a program as it runs, so a
count belongs to the program below: every network is written as in a NumPy tutorial, in float32 (it counts float64 twice), with
flopscope's packaged weights (exp, log and tanh 16 each, `where` and indexing 4, arithmetic, comparisons and roots 1). Numbers
that are Python's own (rates, bias corrections) are not counted. With one row the bias gradient is that row, without a sum.
"""

import json
import random
import warnings
from collections import Counter
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import flopscope
import flopscope.numpy as np
import numpy

ONE, SLOPE = numpy.float32(1), numpy.float32(0.01)
"""With two Python numbers `where` would return float64."""
GELU = 0.7978845608028654
CUBE = 0.044715


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def gelu(z):
    t = np.tanh(GELU * (z + CUBE * (z * z * z)))
    return 0.5 * z * (1 + t), t


def gelu_slope(z, t):
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * (GELU * (1 + 3 * CUBE * (z * z)))


def silu(z):
    s = sigmoid(z)
    return z * s, s


def alone(function):
    """An activation whose derivative is computed from its result only."""
    return lambda z: (function(z), None)


ACTIVATIONS = {
    "relu": (alone(lambda z: np.maximum(z, 0)), lambda z, a, kept: z > 0),
    "leaky_relu": (alone(lambda z: np.maximum(z, 0.01 * z)), lambda z, a, kept: np.where(z > 0, ONE, SLOPE)),
    "sigmoid": (alone(sigmoid), lambda z, a, kept: a * (1 - a)),
    "tanh": (alone(np.tanh), lambda z, a, kept: 1 - a * a),
    "gelu": (gelu, lambda z, a, kept: gelu_slope(z, kept)),
    "silu": (silu, lambda z, a, kept: kept + a * (1 - kept)),
    "softplus": (alone(lambda z: np.logaddexp(z, 0)), lambda z, a, kept: sigmoid(z)),
    "elu": (alone(lambda z: np.where(z > 0, z, np.expm1(z))), lambda z, a, kept: np.where(z > 0, ONE, np.exp(z))),
}


def mse(z, t):
    d = z - t
    return (1 / d.size) * np.sum(d * d), lambda: (2 / d.size) * d


def cross_entropy(z, t):
    rows = numpy.arange(len(t))
    shifted = z - np.max(z, axis=1, keepdims=True)
    e = np.exp(shifted)
    total = np.sum(e, axis=1, keepdims=True)
    value = (1 / len(t)) * np.sum(np.log(total)[:, 0] - shifted[rows, t])
    one_hot = np.asarray(numpy.eye(z.shape[1], dtype="float32")[t] / len(t))
    return value, lambda: e * (1 / (len(t) * total)) - one_hot


def binary_cross_entropy(z, t):
    e = np.exp(-np.abs(z))
    one = 1 + e
    value = (1 / z.size) * np.sum(np.maximum(z, 0) - z * t + np.log(one))
    return value, lambda: (1 / z.size) * (np.where(z >= 0, ONE, e) / one - t)


LOSSES = {"mse": mse, "cross_entropy": cross_entropy, "binary_cross_entropy": binary_cross_entropy}


def sgd(theta, g, state):
    return theta - 0.1 * g


def momentum(theta, g, state):
    v = 0.9 * state["v"] + g
    return theta - 0.1 * v


def nesterov(theta, g, state):
    v = 0.9 * state["v"] + g
    return theta - 0.1 * (g + 0.9 * v)


def rmsprop(theta, g, state):
    s = 0.99 * state["s"] + 0.01 * g * g
    return theta - 0.01 * g / (np.sqrt(s) + 1e-8)


def moments(g, state):
    return 0.9 * state["m"] + 0.1 * g, 0.999 * state["s"] + 0.001 * g * g


def adam(theta, g, state):
    """Update by the short form of Kingma & Ba (2015, section 2), with both bias corrections in the rate and in ε."""
    m, v = moments(g, state)
    return theta - 0.001 * m / (np.sqrt(v) + 1e-8)


def adam_of_pytorch(theta, g, state):
    """Update by PyTorch's form: √v is divided by √(1 − β₂ᵗ) before ε is added."""
    m, v = moments(g, state)
    return theta - 0.001 * (m / (np.sqrt(v) / 0.03 + 1e-8))


OPTIMIZERS = {"sgd": sgd, "momentum": momentum, "nesterov": nesterov, "rmsprop": rmsprop, "adam": adam, "adamw": adam}


def count(call):
    """Return FLOPs by function, and the result."""
    with flopscope.BudgetContext(flop_budget=10**12, quiet=True) as budget:
        result = call()
    by_function = Counter()
    for record in budget.op_log:
        by_function[record.op_name] += record.flop_cost
    counted = {name: cost for name, cost in sorted(by_function.items()) if cost}
    assert sum(counted.values()) == budget.flops_used
    return counted, result


def array(rng, *shape):
    return np.asarray(rng.random(shape, dtype="float32") - numpy.float32(0.5))


def forward(x, parameters, activations):
    layers = []
    for (w, b), name in zip(parameters, activations, strict=True):
        z = x @ w + b
        a, kept = (z, None) if name == "identity" else ACTIVATIONS[name][0](z)
        layers.append((x, z, a, kept))
        x = a
    return layers


def backward(layers, da, parameters, activations):
    gradients = []
    for i in range(len(layers) - 1, -1, -1):
        (x, z, a, kept), name = layers[i], activations[i]
        dz = da if name == "identity" else da * ACTIVATIONS[name][1](z, a, kept)
        gradients[:0] = [x.T @ dz, dz[0] if len(dz) == 1 else np.sum(dz, axis=0)]
        if i:
            da = dz @ parameters[i][0].T
    return gradients


def update(flat, gradients, case, states):
    update_rule = adam_of_pytorch if case.get("form") == "pytorch" else OPTIMIZERS[case["optimizer"]]
    if case["clip_norm"]:
        squares, *others = (np.einsum("ij,ij->" if g.ndim == 2 else "i,i->", g, g) for g in gradients)
        for other in others:
            squares = squares + other
        factor = min(1.0, case["clip_norm"] / float(squares) ** 0.5)
        gradients = [g * factor for g in gradients]
    for theta, g, state in zip(flat, gradients, states, strict=True):
        if case["weight_decay"] and case["optimizer"] == "adamw":
            theta = theta * 0.999  # noqa: PLW2901
        elif case["weight_decay"]:
            g = g + case["weight_decay"] * theta  # noqa: PLW2901
        update_rule(theta, g, state)


def record(case):
    rng = numpy.random.default_rng(0)
    layers, batch, activations = case["layers"], case["batch"], case["activations"]
    parameters = [(array(rng, n, m), array(rng, m)) for n, m in pairwise(layers)]
    flat = [part for pair in parameters for part in pair]
    states = [{name: abs(array(rng, *theta.shape)) for name in ("v", "s", "m")} for theta in flat]
    x, t = array(rng, batch, layers[0]), array(rng, batch, layers[-1])
    if case["loss"] == "cross_entropy":
        t = rng.integers(0, layers[-1], batch)
    passed = {}
    passed["forward"], kept = count(lambda: forward(x, parameters, activations))
    passed["loss"], (_, gradient) = count(lambda: LOSSES[case["loss"]](kept[-1][2], t))
    passed["loss_gradient"], da = count(gradient)
    passed["backward"], gradients = count(lambda: backward(kept, da, parameters, activations))
    passed["update"], _ = count(lambda: update(flat, gradients, case, states))
    return case | {"flops": passed}


def cases():
    plain = {"batch": 1, "loss": "mse", "optimizer": "sgd", "clip_norm": None, "weight_decay": 0.0}
    question = plain | {"layers": [30, 30, 30], "activations": ["relu", "relu"]}
    yield question
    yield question | {"batch": 32}
    for name in ACTIVATIONS:
        yield plain | {"layers": [7, 5, 3], "batch": 4, "activations": [name, "identity"]}
    for name in OPTIMIZERS:
        yield question | {"optimizer": name, "weight_decay": 0.01}
    for name in ("adam", "adamw"):
        yield question | {"optimizer": name, "form": "pytorch"}
    for name in LOSSES:
        yield question | {"loss": name, "layers": [5, 4], "activations": ["identity"], "batch": 6}
    chance = random.Random(0)
    for _ in range(40):
        depth = chance.randint(1, 10)
        yield {
            "layers": [*(chance.randint(1, 20) for _ in range(depth)), chance.randint(2, 20)],
            "activations": [chance.choice(["identity", *ACTIVATIONS]) for _ in range(depth)],
            "batch": chance.choice([1, 2, 3, 8, 32]),
            "loss": chance.choice(list(LOSSES)),
            "optimizer": chance.choice(list(OPTIMIZERS)),
            "clip_norm": chance.choice([None, 1.0]),
            "weight_decay": chance.choice([0.0, 0.01]),
        }


def main():
    warnings.simplefilter("error")
    lines = ",\n".join(json.dumps(record(case)) for case in cases())
    text = '{"versions": ' + json.dumps({"flopscope": version("flopscope")}) + ', "cases": [\n' + lines + "\n]}\n"
    (Path(__file__).parent / "flopscope.json").write_text(text)


if __name__ == "__main__":
    main()
