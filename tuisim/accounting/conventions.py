"""Counts of the same network per example by the formulas of other tools.

The tests check them against recorded runs of these tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tuisim.accounting.formulas import FORMULAS
from tuisim.accounting.operations import KINDS, share
from tuisim.program import LOSS_KINDS, Kind, Phase, StepProgram


class Share(StrEnum):
    """The extent to which a tool counts an entry of the ledger."""

    COUNTED = "counted"
    PART = "in part or assumed"
    """Only the biases of a sum, some of the activations, or a backward pass assumed to be a multiple of the forward pass."""
    NONE = "left out"


_MULTIPLY = {"multiply": Share.COUNTED}
_BOTH = {"multiply": Share.COUNTED, "add": Share.COUNTED}
_WITH_BIAS = {"multiply": Share.COUNTED, "add": Share.PART}
_FUNCTION = {"activation": Share.COUNTED}
_NOT_IN_NUMPY = frozenset({Kind.CLIP_FACTOR, Kind.SCHEDULED_RATE, Kind.DECAY_FACTOR, Kind.BIAS_CORRECTION, Kind.FLUSH_SUBNORMALS})
"""A step written in NumPy computes these in Python, and flushes nothing."""


def _all_but(left_out: frozenset[Kind]) -> dict[Kind, Mapping[str, Share]]:
    return {kind: dict.fromkeys((*KINDS, "other"), Share.COUNTED) for kind in Kind if kind not in left_out}


_PTFLOPS = {"relu": 2, "leaky_relu": 1, "gelu": 2, "silu": 1, "elu": 2}
"""Counts per output; ptflops counts an activation twice if its module calls a function that ptflops counts too."""
_DEEPSPEED = dict.fromkeys(("relu", "leaky_relu", "gelu", "silu", "elu"), 1)
_FLOPSCOPE = {
    "relu": (1, 1),
    "leaky_relu": (2, 5),
    "sigmoid": (19, 2),
    "tanh": (16, 2),
    "gelu": (24, 12),
    "silu": (20, 3),
    "softplus": (16, 19),
    "elu": (21, 21),
}
"""Counts per output of an activation and its derivative in NumPy, with flopscope's weights: exp, log, tanh 16, where 4."""


@dataclass(frozen=True, slots=True)
class Convention:
    """The counting convention of one tool."""

    key: str
    """Its name in `tools_per_example`."""
    name: str
    unit: str
    """The tool's name for what it counts."""
    counts: str
    leaves_out: str
    entries: Mapping[Kind, Mapping[str, Share]] = field(default_factory=dict)
    """The share of the ledger's entries that the tool counts, by kind of operation and of scalar operation."""
    assumes: frozenset[Phase] = frozenset()
    """Phases that the tool assumes to be a multiple of another."""
    functions: Mapping[str, int] | None = None
    """Counts per output by activation, 0 for those not named; None if every activation is counted."""

    def share(self, phase: Phase, kind: Kind, scalar: str, activations: Iterable[str] = ()) -> Share:
        """Return how much of the ledger's `scalar` operations of a kind is counted; `activations` are those of the layers."""
        if phase in self.assumes:
            return Share.PART
        found = self.entries.get(kind, {}).get(scalar, Share.NONE)
        if kind is not Kind.ACTIVATION or self.functions is None:
            return found
        counted = {self.functions.get(name, 0) > 0 for name in activations if name != "identity"}
        return Share.PART if len(counted) > 1 else found if True in counted else Share.NONE


_BACKWARD = frozenset({Phase.BACKWARD})

TUISIM = Convention(
    "tuisim", "tuisim", "operations", "every operation that the step executes", "the loss, shown separately",
    _all_but(LOSS_KINDS),
)  # fmt: skip
CONVENTIONS = (
    Convention(
        "fvcore", "fvcore", "flops", "forward; one per multiply-add", "biases, activations, backward, update",
        {Kind.DENSE: _MULTIPLY},
    ),
    Convention(
        "thop", "thop", "MACs", "forward; one per multiply-add", "biases, activations, backward, update",
        {Kind.DENSE: _MULTIPLY},
    ),
    Convention(
        "torchinfo", "torchinfo", "mult-adds", "forward; one per multiply-add and bias", "activations, backward, update",
        {Kind.DENSE: _WITH_BIAS},
    ),
    Convention(
        "ptflops", "ptflops", "MACs",
        "forward; one per multiply-add, bias, leaky_relu and silu, two per relu, gelu and elu",
        "other activations, backward, update",
        {Kind.DENSE: _WITH_BIAS, Kind.ACTIVATION: _FUNCTION}, functions=_PTFLOPS,
    ),
    Convention(
        "torch_forward", "FlopCounterMode", "FLOPs", "forward; two per multiply-add",
        "biases, activations, backward, update", {Kind.DENSE: _BOTH},
    ),
    Convention(
        "torch_forward_backward", "FlopCounterMode + backward", "FLOPs",
        "forward and backward; two per multiply-add",
        "biases, activations, derivatives, update",
        {Kind.DENSE: _BOTH, Kind.WEIGHT_GRADIENT: _BOTH, Kind.INPUT_GRADIENT: _BOTH},
    ),
    Convention(
        "deepspeed", "DeepSpeed", "FLOPs",
        "forward: two per multiply-add, one per relu, leaky_relu, gelu, silu and elu; backward assumed to be twice that",
        "biases, other activations, update",
        {Kind.DENSE: _BOTH, Kind.ACTIVATION: _FUNCTION}, _BACKWARD, _DEEPSPEED,
    ),
    Convention(
        "epoch_2_to_1", "Epoch AI 2:1", "FLOP", "forward: two per multiply-add; backward assumed to be twice that",
        "biases, activations, update", {Kind.DENSE: _BOTH}, _BACKWARD,
    ),
    Convention(
        "six_n", "6·N", "FLOPs", "6 for each parameter: 2 forward, 4 backward",
        "activations, update", {Kind.DENSE: _BOTH}, _BACKWARD,
    ),
    Convention(
        "flopscope", "flopscope", "FLOPs",
        "forward, backward and update in NumPy at this batch; each operation inside an activation, where exp, log and tanh "
        "count 16",
        "the loss, operations done once per step, flushing subnormals", _all_but(LOSS_KINDS | _NOT_IN_NUMPY),
    ),
    TUISIM,
)  # fmt: skip
"""All conventions, in the order of the selector; tuisim's own is last."""


def tools_per_example(program: StepProgram) -> dict[str, int | float]:
    """Return the operations per example that each tool reports; all but flopscope's are the same for every batch size.

    Versions: fvcore 0.1.5, thop 0.1.1, torchinfo 1.8.0, ptflops 0.7.5 with its `pytorch` backend, torch 2.14's
    FlopCounterMode, DeepSpeed 0.19.8, Epoch AI's 2:1, 6·N, and flopscope 0.12.4 for the step in NumPy's float32.
    """
    pairs = list(zip(program.layers, program.layers[1:], strict=False))
    products = sum(n * m for n, m in pairs)
    inner = sum(n * m for n, m in pairs[1:])
    parameters = products + sum(program.layers[1:])
    return {
        "fvcore": products,  # one per multiply-add, no bias
        "thop": products,
        "torchinfo": parameters,  # one per weight and per bias
        "ptflops": parameters + _count_activations(program, _PTFLOPS),
        "torch_forward": 2 * products,
        "torch_forward_backward": 2 * (2 * products + inner),  # no input gradient for the first layer
        "deepspeed": 3 * (2 * products + _count_activations(program, _DEEPSPEED)),  # backward assumed to be twice the forward
        "epoch_2_to_1": 3 * 2 * products,
        "six_n": 6 * parameters,
        "flopscope": _flopscope(program),
        "parameters": parameters,
    }


def _count_activations(program: StepProgram, per_output: Mapping[str, int]) -> int:
    """Return the count of all activations of one example."""
    return sum(size * per_output.get(name, 0) for size, name in zip(program.layers[1:], program.activations, strict=True))


def _flopscope(program: StepProgram) -> int | float:
    """Return the ledger's FLOPs per example, plus those inside activations and derivatives."""
    ops = [op for op in program.ops if op.kind not in LOSS_KINDS | _NOT_IN_NUMPY]
    arithmetic = sum(FORMULAS[op.kind].count(op).flops for op in ops)
    inside = _count_activations(program, {name: sum(costs) for name, costs in _FLOPSCOPE.items()})
    return share(arithmetic + program.batch * inside, program.batch)
