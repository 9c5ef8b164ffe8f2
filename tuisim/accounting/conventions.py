"""How other tools would count the same network for one example; their formulas, checked against recorded runs of them.

The recordings are in the tests; a number that no recording covers is null. It knows no tool but by its formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tuisim.config import RunConfig
from tuisim.program import Kind, Phase


class Share(StrEnum):
    """How much of an entry of the full ledger a tool's number has in it."""

    COUNTED = "counted"
    PART = "in part or assumed"
    """Only the biases of a sum, or a backward pass taken as a multiple of the forward one."""
    NONE = "left out"


_MULTIPLY = {"multiply": Share.COUNTED}
_BOTH = {"multiply": Share.COUNTED, "add": Share.COUNTED}
_WITH_BIAS = {"multiply": Share.COUNTED, "add": Share.PART}
_FUNCTION = {"activation": Share.COUNTED}


@dataclass(frozen=True, slots=True)
class Convention:
    """What one tool's number is of."""

    key: str
    """Its name in `tools_per_example`."""
    name: str
    unit: str
    """What the tool calls what it counts."""
    counts: str
    leaves_out: str
    entries: Mapping[Kind, Mapping[str, Share]] = field(default_factory=dict)
    """By kind of operation and of scalar operation, what of the ledger is in the number."""
    assumes: frozenset[Phase] = frozenset()
    """Phases it does not look at and takes as a multiple of another."""
    everything: bool = False

    def share(self, phase: Phase, kind: Kind, scalar: str) -> Share:
        """How much of the ledger's `scalar` operations of one kind is in the number."""
        if phase in self.assumes:
            return Share.PART
        if self.everything and phase is not Phase.LOSS:
            return Share.COUNTED
        return self.entries.get(kind, {}).get(scalar, Share.NONE)


_BACKWARD = frozenset({Phase.BACKWARD})

TUISIM = Convention(
    "tuisim", "tuisim", "operations", "every operation of the step that runs", "the loss, given apart", everything=True,
)  # fmt: skip
CONVENTIONS = (
    Convention(
        "fvcore", "fvcore", "flops", "forward; a multiply-add is one", "biases, activations, backward, update",
        {Kind.DENSE: _MULTIPLY},
    ),
    Convention(
        "thop", "thop", "MACs", "forward; a multiply-add is one", "biases, activations, backward, update",
        {Kind.DENSE: _MULTIPLY},
    ),
    Convention(
        "torchinfo", "torchinfo", "mult-adds", "forward; a multiply-add is one, a bias too", "activations, backward, update",
        {Kind.DENSE: _WITH_BIAS},
    ),
    Convention(
        "ptflops", "ptflops", "MACs", "forward; a multiply-add is one, a bias one, ReLU two", "backward, update",
        {Kind.DENSE: _WITH_BIAS, Kind.ACTIVATION: _FUNCTION},
    ),
    Convention(
        "torch_forward", "FlopCounterMode", "FLOPs", "forward; a multiply-add is two",
        "biases, activations, backward, update", {Kind.DENSE: _BOTH},
    ),
    Convention(
        "torch_forward_backward", "FlopCounterMode + backward", "FLOPs",
        "forward and backward; a multiply-add is two",
        "biases, activations, derivatives, update",
        {Kind.DENSE: _BOTH, Kind.WEIGHT_GRADIENT: _BOTH, Kind.INPUT_GRADIENT: _BOTH},
    ),
    Convention(
        "deepspeed", "DeepSpeed", "FLOPs", "forward, a multiply-add is two, ReLU one; backward taken as twice that",
        "biases, update, the real backward",
        {Kind.DENSE: _BOTH, Kind.ACTIVATION: _FUNCTION}, _BACKWARD,
    ),
    Convention(
        "epoch_2_to_1", "Epoch AI 2:1", "FLOP", "forward, a multiply-add is two; backward taken as twice that",
        "biases, activations, update, the real backward", {Kind.DENSE: _BOTH}, _BACKWARD,
    ),
    Convention(
        "six_n", "6·N", "FLOPs", "6 for each parameter: 2 forward, 4 backward",
        "activations, update, the real backward", {Kind.DENSE: _BOTH}, _BACKWARD,
    ),
    TUISIM,
)  # fmt: skip
"""In the order the dial turns through them, the full ledger last."""


def tools_per_example(config: RunConfig) -> dict[str, int | None]:
    """Operations per example as each public counter reports them (versions: fvcore 0.1.5, thop 0.1.1, torchinfo 1.8.0,
    ptflops 0.7.5 with its `pytorch` backend, torch 2.13's FlopCounterMode, DeepSpeed, Epoch AI's 2:1, and 6·N)."""
    pairs = list(zip(config.layers, config.layers[1:], strict=False))
    products = sum(n * m for n, m in pairs)
    inner = sum(n * m for n, m in pairs[1:])
    parameters = config.parameter_count
    only_relu = not _unverified(config)
    activations = sum(size for size, name in _applied(config))
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


def why_null(config: RunConfig) -> str:
    """Why a tool's number is null for this network, in words."""
    return f"no recorded run of it covers {', '.join(_unverified(config))}, and nothing is guessed"


def _applied(config: RunConfig) -> list[tuple[int, str]]:
    """(size, activation) of each layer that has one."""
    return [(size, name) for size, name in zip(config.layers[1:], config.activations, strict=True) if name != "identity"]


def _unverified(config: RunConfig) -> list[str]:
    """The activations that the recordings do not cover."""
    return list(dict.fromkeys(name for _, name in _applied(config) if name != "relu"))
