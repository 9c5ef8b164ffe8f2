"""Record PyTorch float64 runs of 500 random networks: writes random_networks.npz beside this file.

Needs torch and mpmath: `python tests/oracle/record_random_networks.py`, some minutes. random_networks.npz was written with torch
2.14.1 on one thread of an x86-64 CPU. `tests/random_networks.py` reads it, and draws the data and initial parameters for both.

Networks have 1 to 10 layers of weights of at most 12 units, every activation, loss and optimizer, clipping, weight decay,
schedules and warm-up, and a short last batch in most. A third sets the hyperparameters of its optimizer. A network whose loss
or parameters PyTorch takes beyond 1e6 is drawn again. `moved` is what rounding alone does to a run: the larger of how far it ends
from itself, at most over three draws, when each initial parameter is moved by one ulp up or down, and how far it ends from the
same run with 40 digits. A saturated activation does not move with its start, and yet its derivative has lost digits.
"""

import json
import math
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[2]))
import exact_training

from tests.support.random_networks import RECORD, difference, draw, flat

NETWORKS = 500
ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "gelu": lambda z: F.gelu(z, approximate="tanh"),
    "silu": F.silu,
    "softplus": lambda z: torch.logaddexp(z, torch.zeros_like(z)),  # F.softplus is the identity above 20
    "elu": F.elu,
}
LOSSES = {
    "cross_entropy": F.cross_entropy,
    "mse": F.mse_loss,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
}
RATES = {"sgd": 0.1, "momentum": 0.03, "nesterov": 0.03, "rmsprop": 0.01, "adam": 0.02, "adamw": 0.02}
"""The centre of the learning rates drawn."""


def random_case(number):
    """Return configuration, examples and steps of network `number`."""
    chance = random.Random(number)
    depth = chance.randint(1, 10)
    loss, optimizer = chance.choice(list(LOSSES)), chance.choice(list(RATES))
    layers = [chance.randint(1, 12) for _ in range(depth + 1)]
    if loss == "cross_entropy":
        layers[-1] = chance.randint(2, 12)
    batch, epochs = chance.randint(1, 9), chance.randint(1, 3)
    examples = chance.randint(1, max(1, 12 // epochs) * batch)
    config = {
        "layers": layers,
        "hidden_activation": [chance.choice(list(ACTIVATIONS)) for _ in range(depth - 1)] or "relu",
        "output_activation": chance.choice(list(ACTIVATIONS)),
        "loss": loss,
        "optimizer": optimizer,
        "batch_size": batch,
        "epochs": epochs,
        "learning_rate": RATES[optimizer] * 10 ** chance.uniform(-1, 1),
        "weight_decay": chance.choice([0.0, 0.0, 0.001, 0.1]),
        "clip_norm": chance.choice([None, None, 10 ** chance.uniform(-2, 1)]),
        "warmup_steps": chance.choice([0, 0, chance.randint(1, 5)]),
        "schedule": chance.choice(["constant", "step", "cosine"]),
    }
    if config["schedule"] != "constant":
        config["schedule_steps"] = config["warmup_steps"] + chance.randint(1, 12)
    if chance.random() < 1 / 3:
        config |= random_hyperparameters(optimizer, chance)
    return {"number": number, "config": config, "examples": examples, "steps": epochs * -(-examples // batch)}


def random_hyperparameters(optimizer, chance):
    epsilon = 10 ** chance.uniform(-9, -2)
    return {
        "sgd": {},
        "momentum": {"momentum": chance.uniform(0.1, 0.99)},
        "nesterov": {"momentum": chance.uniform(0.1, 0.99)},
        "rmsprop": {"rmsprop_decay": chance.uniform(0.5, 0.999), "epsilon": epsilon},
        "adam": {"beta1": chance.uniform(0.1, 0.99), "beta2": chance.uniform(0.5, 0.9999), "epsilon": epsilon},
        "adamw": {"beta1": chance.uniform(0.1, 0.99), "beta2": chance.uniform(0.5, 0.9999), "epsilon": epsilon},
    }[optimizer]


def factor(config, step):
    """Return the factor of the learning rate at `step`, from 0: a linear warm-up, then the schedule."""
    warmup, length = config["warmup_steps"], config.get("schedule_steps")
    if step < warmup:
        return (step + 1) / warmup
    if config["schedule"] == "step":
        return 0.1 ** ((step - warmup) // length)
    if config["schedule"] == "cosine":
        done = min(1.0, (step - warmup) / (length - warmup))
        return (1 + math.cos(math.pi * done)) / 2
    return 1.0


def torch_optimizer(config, parameters):
    name, decay = config["optimizer"], config["weight_decay"]
    shared = {"lr": config["learning_rate"], "weight_decay": decay, "foreach": False}
    if name == "sgd":
        return torch.optim.SGD(parameters, **shared)
    if name in ("momentum", "nesterov"):
        return torch.optim.SGD(parameters, momentum=config.get("momentum", 0.9), nesterov=name == "nesterov", **shared)
    epsilon = config.get("epsilon", 1e-8)
    if name == "rmsprop":
        return torch.optim.RMSprop(parameters, alpha=config.get("rmsprop_decay", 0.99), eps=epsilon, **shared)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(parameters, betas=(config.get("beta1", 0.9), config.get("beta2", 0.999)), eps=epsilon, **shared)


def activations(case):
    config = case["config"]
    return [*(config["hidden_activation"] if len(config["layers"]) > 2 else []), config["output_activation"]]


def batches(case, X, y):
    """Yield batches of consecutive rows without end; the last of an epoch may be shorter."""
    size, found = case["config"]["batch_size"], []
    for first in range(0, case["examples"], size):
        found.append((X[first : first + size], y[first : first + size]))
    return [found[step % len(found)] for step in range(case["steps"])]


def train(case, X, y, initial):
    """Return losses and final parameters of one run in PyTorch."""
    config, functions = case["config"], [ACTIVATIONS[name] for name in activations(case)]
    pairs = [[nn.Parameter(torch.from_numpy(part.copy())) for part in pair] for pair in initial]
    parameters = [part for pair in pairs for part in pair]
    optimizer = torch_optimizer(config, parameters)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(config, step))
    losses = []
    for rows, answers in batches(case, X, y):
        a, target = torch.from_numpy(rows), torch.from_numpy(answers)
        for (W, b), function in zip(pairs, functions, strict=True):
            a = function(a @ W + b)
        loss = LOSSES[config["loss"]](a, target)
        optimizer.zero_grad()
        loss.backward()
        if config["clip_norm"] is not None:
            nn.utils.clip_grad_norm_(parameters, config["clip_norm"])
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return np.array(losses), flat([[part.detach().numpy() for part in pair] for pair in pairs])


def moved_by_one_ulp(parameters, rng):
    return [
        tuple(np.nextafter(part, np.where(rng.random(part.shape) < 0.5, -np.inf, np.inf)) for part in pair) for pair in parameters
    ]


def record(case):
    """Return losses, final parameters and their rounding error."""
    config, layers = case["config"], case["config"]["layers"]
    X, y, initial = draw(case["number"], layers, config["loss"], case["examples"])
    losses, final = train(case, X, y, initial)
    rng = np.random.Generator(np.random.PCG64([case["number"], 1]))
    others = [train(case, X, y, moved_by_one_ulp(initial, rng)) for _ in range(3)]
    of_40_digits, end = exact_training.train(
        config, activations(case), lambda step: factor(config, step), batches(case, X, y), initial
    )
    others.append((of_40_digits, flat(end)))
    return losses, final, max(difference(layers, *other, losses, final) for other in others)


def record_next(number):
    """Return network `number` with its run, None if it grew beyond 10⁶."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    case = random_case(number)
    losses, final, moved = record(case)
    within = np.isfinite(moved) and max(np.abs(losses).max(), np.abs(final).max()) < 1e6
    return (case, losses, final, moved) if within else None


def main():
    runs, numbers = [], count()
    with ProcessPoolExecutor() as pool:
        while missing := NETWORKS - len(runs):
            runs += filter(None, pool.map(record_next, islice(numbers, missing)))
    cases, losses, final, moved = zip(*runs, strict=True)
    np.savez_compressed(
        RECORD, cases=json.dumps(cases), losses=np.concatenate(losses), final=np.concatenate(final), moved=np.array(moved)
    )
    print(f"{next(numbers) - NETWORKS} drawn again; torch {torch.__version__}")


if __name__ == "__main__":
    main()
