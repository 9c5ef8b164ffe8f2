"""Training with 40 digits, to measure the rounding error of a run in double precision.

Written from the papers' formulas over mpmath numbers, apart from tuisim and PyTorch; every expression keeps its digits at the
ends of its range. Slow: about two seconds for a network of the record.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 40
ZERO, ONE = mp.mpf(0), mp.mpf(1)


def sigmoid(z):
    return ONE / (ONE + mp.exp(-z))


def softplus(z):
    return max(z, ZERO) + mp.log1p(mp.exp(-abs(z)))


def gelu_gate(z):
    """Return 2·√(2/π)·(z + 0.044715·z³): the tanh form is z times its sigmoid."""
    return 2 * mp.sqrt(2 / mp.pi) * (z + mp.mpf(0.044715) * z**3)


def gelu_slope(z):
    u = gelu_gate(z)
    return sigmoid(u) + z * sigmoid(u) * sigmoid(-u) * 2 * mp.sqrt(2 / mp.pi) * (1 + 3 * mp.mpf(0.044715) * z**2)


LEAK = mp.mpf(0.01)
ACTIVATIONS = {
    "identity": (lambda z: z, lambda z: ONE),
    "relu": (lambda z: max(z, ZERO), lambda z: ONE if z > 0 else ZERO),
    "leaky_relu": (lambda z: z if z > 0 else LEAK * z, lambda z: ONE if z > 0 else LEAK),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": (mp.tanh, lambda z: ONE / mp.cosh(z) ** 2),
    "gelu": (lambda z: z * sigmoid(gelu_gate(z)), gelu_slope),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z))),
    "softplus": (softplus, sigmoid),
    "elu": (lambda z: z if z > 0 else mp.expm1(z), lambda z: ONE if z > 0 else mp.exp(z)),
}


def exact(array):
    """Return doubles as mpmath numbers."""
    array = np.asarray(array)
    return np.array([mp.mpf(float(value)) for value in array.ravel()], dtype=object).reshape(array.shape)


def each(function, array):
    return np.array([function(value) for value in array.ravel()], dtype=object).reshape(array.shape)


def loss_and_gradient(name, a, t):
    """Return the mean loss and its gradient by the outputs."""
    rows, elements = len(a), a.size
    if name == "mse":
        d = a - exact(t)
        return (d * d).sum() / elements, 2 * d / elements
    if name == "binary_cross_entropy":
        t = exact(t)
        return (each(softplus, a) - a * t).sum() / elements, (each(sigmoid, a) - t) / elements
    e = each(mp.exp, a)
    total = e.sum(axis=1)
    loss = sum(mp.log(total[k]) - a[k, t[k]] for k in range(rows)) / rows
    share = e / total[:, None]
    for k in range(rows):
        share[k, t[k]] = -sum(share[k, j] for j in range(a.shape[1]) if j != t[k])
    return loss, share / rows


def clipped(gradients, limit):
    norm = mp.sqrt(sum((g * g).sum() for g in gradients))
    return [g * min(ONE, mp.mpf(limit) / (norm + mp.mpf(1e-6))) for g in gradients]


def updated(config, theta, g, state, rate, step):
    """Return θ after one update by PyTorch's rule; `state` is that of the parameter."""
    name, decay = config["optimizer"], mp.mpf(config["weight_decay"])
    if name == "adamw":
        theta = theta * (1 - rate * decay)
    else:
        g = g + decay * theta
    if name == "sgd":
        return theta - rate * g
    if name in ("momentum", "nesterov"):
        mu = mp.mpf(config.get("momentum", 0.9))
        state["v"] = v = mu * state.get("v", 0 * g) + g
        return theta - rate * (g + mu * v if name == "nesterov" else v)
    epsilon = mp.mpf(config.get("epsilon", 1e-8))
    beta2 = mp.mpf(config.get("rmsprop_decay", 0.99) if name == "rmsprop" else config.get("beta2", 0.999))
    state["s"] = s = beta2 * state.get("s", 0 * g) + (1 - beta2) * g * g
    if name == "rmsprop":
        return theta - rate * g / (each(mp.sqrt, s) + epsilon)
    beta1 = mp.mpf(config.get("beta1", 0.9))
    state["m"] = m = beta1 * state.get("m", 0 * g) + (1 - beta1) * g
    corrected = each(mp.sqrt, s / (1 - beta2 ** (step + 1)))
    return theta - rate * (m / (1 - beta1 ** (step + 1))) / (corrected + epsilon)


def train(config, activations, factor, batches, parameters):
    """Return losses and final parameters as doubles. `factor(step)` scales the rate; batches are (X, y), parameters [(W, b)]."""
    flat = [exact(part) for pair in parameters for part in pair]
    states, losses, depth = [{} for _ in flat], [], len(activations)
    for step, (X, t) in enumerate(batches):
        a, kept = exact(X), []
        for k, name in enumerate(activations):
            z = a @ flat[2 * k] + flat[2 * k + 1]
            kept.append((a, z))
            a = each(ACTIVATIONS[name][0], z)
        loss, d = loss_and_gradient(config["loss"], a, t)
        losses.append(float(loss))
        gradients = []
        for k in range(depth - 1, -1, -1):
            x, z = kept[k]
            d = d * each(ACTIVATIONS[activations[k]][1], z)
            gradients[:0] = [x.T @ d, d.sum(axis=0)]
            d = d @ flat[2 * k].T
        if config["clip_norm"] is not None:
            gradients = clipped(gradients, config["clip_norm"])
        rate = mp.mpf(config["learning_rate"]) * mp.mpf(factor(step))
        flat = [updated(config, *part, rate, step) for part in zip(flat, gradients, states, strict=True)]
    ends = [part.astype(np.float64) for part in flat]
    return np.array(losses), [*zip(ends[::2], ends[1::2], strict=True)]
