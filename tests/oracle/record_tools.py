"""Record what public FLOP counters report for PyTorch networks with every activation: writes tools.json beside this file.

Needs torch, ptflops, deepspeed, fvcore, thop and torchinfo, which the tests do not: `python tests/oracle/record_tools.py`.
tools.json holds their versions. Counts are for one example; DeepSpeed profiles the forward pass and prints the backward
pass as twice that.
"""

import contextlib
import io
import json
import logging
import random
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import thop
import torch
import torchinfo
from deepspeed.profiling.flops_profiler import get_model_profile
from fvcore.nn import FlopCountAnalysis
from ptflops import get_model_complexity_info
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

MODULES = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "elu": nn.ELU,
}


def function(name, x):
    """An activation called as a function, looked up at each call because ptflops replaces functions while it counts."""
    return getattr(torch if name in ("sigmoid", "tanh") else F, name)(x)


def network(layers, activations):
    """Linear layers and the modules of the activations in sequence."""
    modules = []
    for n, m, name in zip(layers, layers[1:], activations, strict=False):
        modules.append(nn.Linear(n, m))
        if name != "identity":
            modules.append(MODULES[name]())
    return nn.Sequential(*modules)


class Functional(nn.Module):
    """The same network with the activations called as functions."""

    def __init__(self, layers, activations):
        super().__init__()
        self.linear = nn.ModuleList(nn.Linear(n, m) for n, m in pairwise(layers))
        self.activations = activations

    def forward(self, x):
        for linear, name in zip(self.linear, self.activations, strict=True):
            x = linear(x)
            if name != "identity":
                x = function(name, x)
        return x


def silent(call):
    """Return the result of `call` and discard what it prints."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return call()


def ptflops(model, inputs):
    return int(
        silent(
            lambda: get_model_complexity_info(
                model, (inputs,), as_strings=False, print_per_layer_stat=False, backend="pytorch", verbose=False
            )
        )[0]
    )


def deepspeed_forward(model, inputs):
    return int(
        silent(lambda: get_model_profile(model, args=[torch.ones(1, inputs)], print_profile=False, as_string=False, warm_up=0))[0]
    )


def flop_counter(model, inputs, backward):
    with FlopCounterMode(display=False) as counter:
        output = model(torch.ones(1, inputs))
        if backward:
            output.sum().backward()
    return counter.get_total_flops()


def counts(layers, activations):
    def make():
        return network(layers, activations)

    x = torch.ones(1, layers[0])
    analysis = FlopCountAnalysis(make(), x).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return {
        "fvcore": int(analysis.total()),
        "thop": int(silent(lambda: thop.profile(make(), inputs=(x,), verbose=False))[0]),
        "torchinfo": int(silent(lambda: torchinfo.summary(make(), input_size=(1, layers[0]), verbose=0)).total_mult_adds),
        "ptflops": ptflops(make(), layers[0]),
        "torch_forward": flop_counter(make(), layers[0], backward=False),
        "torch_forward_backward": flop_counter(make(), layers[0], backward=True),
        "deepspeed": 3 * deepspeed_forward(make(), layers[0]),
        "parameters": sum(parameter.numel() for parameter in make().parameters()),
    }


def networks():
    """Return networks with each activation, and random networks."""
    yield [30, 30, 30], ["relu", "relu"]
    for name in MODULES:
        yield [7, 5, 3], [name, name]
        yield [6, 4], [name]
    chance = random.Random(0)
    for _ in range(40):
        depth = chance.randint(1, 10)
        yield (
            [chance.randint(1, 40) for _ in range(depth + 1)],
            [chance.choice(["identity", *MODULES]) for _ in range(depth)],
        )


def main():
    logging.disable(logging.CRITICAL)
    packages = ("torch", "ptflops", "deepspeed", "fvcore", "thop", "torchinfo")
    functional = {
        name: (ptflops(Functional([7, 5, 3], [name, name]), 7) - ptflops(Functional([7, 5, 3], ["identity"] * 2), 7)) / 8
        for name in MODULES
    }
    cases = [
        {"layers": layers, "activations": activations, "tools_per_example": counts(layers, activations)}
        for layers, activations in networks()
    ]
    head = {"versions": {name: version(name) for name in packages}, "ptflops_of_functions": functional}
    lines = ",\n".join(json.dumps(case) for case in cases)
    text = json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}\n"
    (Path(__file__).parent / "tools.json").write_text(text)


if __name__ == "__main__":
    main()
