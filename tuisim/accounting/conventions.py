"""How other tools would count the same network for one example; their formulas, checked against recorded runs of them.

The recordings are in the tests; a number that no recording covers is null.
"""

from __future__ import annotations

from tuisim.config import RunConfig


def tools_per_example(config: RunConfig) -> dict[str, int | None]:
    """Operations per example as each public counter reports them (versions: fvcore 0.1.5, thop 0.1.1, torchinfo 1.8.0,
    ptflops 0.7.5 with its `pytorch` backend, torch 2.13's FlopCounterMode, DeepSpeed, Epoch AI's 2:1, and 6·N)."""
    pairs = list(zip(config.layers, config.layers[1:], strict=False))
    products = sum(n * m for n, m in pairs)
    inner = sum(n * m for n, m in pairs[1:])
    parameters = config.parameter_count
    applied = [(size, name) for size, name in zip(config.layers[1:], config.activations, strict=True) if name != "identity"]
    only_relu = all(name == "relu" for _, name in applied)
    activations = sum(size for size, _ in applied)
    return {
        "fvcore": products,  # one per multiply-add, no bias
        "thop": products,
        "torchinfo": parameters,  # weights and biases alike
        "ptflops": parameters + 2 * activations if only_relu else None,  # ReLU as module and again as function
        "torch_forward": 2 * products,
        "torch_forward_backward": 2 * (2 * products + inner),  # no input gradient for the first layer
        "deepspeed": 3 * (2 * products + activations) if only_relu else None,  # backward taken as twice the forward
        "epoch_2_to_1": 3 * 2 * products,
        "six_n": 6 * parameters,
        "parameters": parameters,
    }
