"""From a program's operations to ready-made launches and products, phase by phase.

Neighbours are fused: a bias with its activation, an activation's gradient with its biases' sums, a whole update with its
clipping and decay. Each kernel's formula is in `step.cu`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tuisim.backends.cupy.card import FUNCTION_CODES, NULL, THREADS, WAVES, Call, Card, DeviceArray
from tuisim.backends.cupy.memory import Memory
from tuisim.backends.labels import Labelled
from tuisim.config.choices import SMALLEST_NORMAL
from tuisim.program import CLIP_EPSILON, Kind, Op, StepProgram

WARP, TILE_ROWS = 32, 8
"""As in `step.cu`."""
TILE = (WARP, TILE_ROWS)
WARPS = (WARP, 4)
"""A loss has a warp for each row, four to a block."""
MOST_Y = 65_535
"""Blocks in a grid's second direction."""
MOST_SHARES = 64
"""Of the batch in a bias gradient: one thread adds them up."""
NORM_BLOCKS = 128
"""Shares of the squared norm; a fixed number, so that the sum does not depend on the card."""


class Launches:
    """What one bound step hands to the device, in order."""

    def __init__(self, card: Card, program: StepProgram, memory: Memory) -> None:
        missing = {op.kind for op in program.ops} - set(KERNELS)
        if missing:
            raise TypeError(f"no kernel for {', '.join(sorted(missing))}")
        self._card, self._program, self._memory = card, program, memory
        self._arrays, self._common = memory.arrays, memory.common
        self._stopped = memory.stopped
        self._shares = _Shares(card, program)

    def _launch(self, name: str, grid: tuple[int, ...], block: tuple[int, ...], *args: object) -> Call:
        return self._card.kernel(name, self._program.dtype, grid, block, *args)

    def _ops(self, *kinds: Kind) -> list[Op]:
        return [op for op in self._program.ops if op.kind in kinds]

    # ── data ──

    def data(self, inputs: DeviceArray, targets: DeviceArray) -> list[Labelled]:
        """The step's rows of these, which lie on the device."""
        batch, common, order = self._program.batch, self._common, self._memory.order
        where = np.int64(len(inputs)), order, common.step, self._stopped

        def rows_of(source: DeviceArray, name: str) -> Call:
            out = self._arrays[name]
            if out.ndim == 1:
                return self._launch("gather_classes", (_blocks(batch, THREADS),), (THREADS,), source, *where, out, batch)
            width = out.shape[1]
            grid = (min(_blocks(width, THREADS), 64), min(batch, MOST_Y))
            return self._launch("gather", grid, (min(THREADS, _up(width, WARP)),), source, *where, out, batch, width)

        gather = self._program.ops[0]
        return [(gather, rows_of(inputs, "X")), (gather, rows_of(targets, "Y"))]

    # ── forward ──

    def forward(self) -> list[Labelled]:
        calls: list[Labelled] = []
        activations = {op.layer: op for op in self._ops(Kind.ACTIVATION)}
        for op in self._ops(Kind.DENSE):
            a, weights, bias = (self._arrays[name] for name in op.reads)
            z = self._arrays[op.writes[0]]
            activation = activations.get(op.layer)
            out = NULL if activation is None else self._arrays[activation.writes[0]]
            biased = self._launch(
                "bias_activation", _tiles(op, self._rows_at_once(op)), TILE, z, bias, out, self._stopped, op.batch, op.outputs,
                _code(activation),
            )  # fmt: skip
            calls += [(op, self._card.product(a, weights, z, self._common.one, self._common.zero)), (op, biased)]
        return calls

    def _rows_at_once(self, op: Op) -> int:
        """Blocks down the rows: enough for the card, and no more than there are rows."""
        wanted = _blocks(WAVES * self._card.processors, _blocks(op.outputs, WARP))
        return min(wanted, _blocks(op.batch, TILE_ROWS), MOST_Y)

    # ── loss ──

    def loss(self) -> list[Labelled]:
        (op,) = self._ops(Kind.CROSS_ENTROPY, Kind.MSE, Kind.BINARY_CROSS_ENTROPY)
        memory, output, target = self._memory, *(self._arrays[name] for name in op.reads)
        gradient = self._arrays[op.writes[1]] if op.learning else NULL
        rights = NULL if op.learning or op.kind is Kind.MSE else memory.row_right
        sums = (memory.row_loss,) if op.kind is Kind.MSE else (memory.row_loss, rights)
        terms = op.batch * (1 if op.kind is Kind.CROSS_ENTROPY else op.outputs)
        grid = (_blocks(op.batch, WARPS[1]),)
        finish = self._launch(
            "finish_loss", (1,), (THREADS,), memory.row_loss, rights, op.batch, 1.0 / terms, memory.results, self._common.step,
            self._stopped,
        )  # fmt: skip
        rows = self._launch(op.kind.value, grid, WARPS, output, target, *sums, gradient, self._stopped, op.batch, op.outputs)
        return [(op, rows), (op, finish)]

    # ── backward ──

    def backward(self) -> list[Labelled]:
        gradients = {op.layer: op for op in self._ops(Kind.ACTIVATION_GRADIENT)}
        inputs = {op.layer: op for op in self._ops(Kind.INPUT_GRADIENT)}
        biases = {op.layer: op for op in self._ops(Kind.BIAS_GRADIENT)}
        calls: list[Labelled] = []
        for op in self._ops(Kind.WEIGHT_GRADIENT):
            a, dz = (self._arrays[name] for name in op.reads)
            calls += [
                (gradients.get(op.layer, biases[op.layer]), self._activation_gradient(op, gradients.get(op.layer), a, dz)),
                # Added to the gradient before once the run has stopped, when what is added is nothing.
                (op, self._card.product(a, dz, self._arrays[op.writes[0]], self._common.one, self._stopped, transposed="a")),
            ]
            if op.layer in inputs:
                below = inputs[op.layer]
                weights, out = self._arrays[below.reads[1]], self._arrays[below.writes[0]]
                product = self._card.product(dz, weights, out, self._common.one, self._common.zero, transposed="b")
                calls.append((below, product))
        if self._program.learning:
            calls.append((biases[1], self._bias_gradients()))
        return calls

    def _activation_gradient(self, layer: Op, op: Op | None, below: DeviceArray, dz: DeviceArray) -> Call:
        """Also where there is no activation: the biases' sums are made in the same pass."""
        da, z, a = (dz, dz, dz) if op is None else (self._arrays[name] for name in op.reads)
        assert layer.layer is not None
        return self._launch(
            "activation_gradient", _tiles(layer, self._shares.counts[layer.layer]), TILE, da, z, a, dz,
            self._shares.of(layer.layer), self._stopped, layer.batch, layer.outputs, _code(op), below,
            below.size,
        )  # fmt: skip

    def _bias_gradients(self) -> Call:
        widest = max(self._program.layers[1:])
        grid = (_blocks(widest, THREADS), len(self._program.layers) - 1)
        shares = self._shares
        return self._launch(
            "bias_gradients", grid, (THREADS,), shares.sums, shares.table, self._arrays["gradients"], self._stopped
        )

    # ── update ──

    def update(self) -> list[Labelled]:
        """Every update operation in one pass over the flat parameters; the norm, where it is asked for, before it."""
        calls: list[Labelled] = []
        factor: object = NULL
        if self._program.clip_norm is not None:
            factor = self._arrays["clip_factor"]
            calls += self._clipping(self._program.clip_norm)
        rule = next(op for op in self._program.ops if op.kind.value in RULES)
        return [*calls, (rule, self._rule(factor))]

    def _clipping(self, limit: float) -> list[Labelled]:
        gradients = self._arrays["gradients"]
        shares = self._card.zeros(NORM_BLOCKS, "float64")
        squares, factor = self._ops(Kind.GRADIENT_SQUARES)[0], self._ops(Kind.CLIP_FACTOR)[0]
        norm = self._launch("gradient_squares", (NORM_BLOCKS,), (THREADS,), gradients, gradients.size, shares, self._stopped)
        clip = self._launch(
            "clip_factor", (1,), (THREADS,), shares, np.int32(NORM_BLOCKS), float(limit), CLIP_EPSILON, self._arrays["squares"],
            self._arrays["clip_factor"], self._stopped,
        )  # fmt: skip
        return [(squares, norm), (factor, clip)]

    def _rule(self, factor: object) -> Call:
        program, common = self._program, self._common
        real = np.float64 if program.dtype == "float64" else np.float32
        decoupled = program.optimizer == "adamw"
        decay = real(0.0 if decoupled else program.weight_decay)
        hyper = program.hyperparameters
        theta, gradients = self._arrays["parameters"], self._arrays["gradients"]
        scalars = self._memory.scalars, common.step, self._stopped, theta.size
        name, state, fixed = _RULES[program.optimizer]
        return self._launch(
            name, (min(_blocks(theta.size, THREADS), WAVES * self._card.processors),), (THREADS,), theta, gradients,
            *(self._arrays[part] for part in state), factor, decay, *fixed(hyper, real, decoupled and program.weight_decay > 0),
            *((real(SMALLEST_NORMAL[program.dtype] if program.flushes else 0.0), common.lost) if state else ()), *scalars,
        )  # fmt: skip


class _Shares:
    """Where the sums of each layer's bias gradient lie before they are added up: so many shares of the batch for each layer."""

    def __init__(self, card: Card, program: StepProgram) -> None:
        self.counts: dict[int, int] = {}
        self._places: dict[int, tuple[int, int]] = {}
        begin, table = 0, []
        for op in program.ops:
            if op.kind is Kind.WEIGHT_GRADIENT:
                assert op.layer is not None
                wanted = _blocks(2 * card.processors, _blocks(op.outputs, WARP))
                count = max(1, min(wanted, _blocks(op.batch, 4 * TILE_ROWS), MOST_SHARES))
                self.counts[op.layer] = count
                self._places[op.layer] = begin, begin + count * op.outputs
                table += [begin, count, op.outputs, program.buffers[f"gb{op.layer}"].offset]
                begin += count * op.outputs
        self.sums = card.zeros(max(begin, 1), program.dtype)
        self.table = card.zeros(max(len(table), 1), "int64")
        if table:
            self.table.set(np.array(table, np.int64))

    def of(self, layer: int) -> DeviceArray:
        begin, end = self._places[layer]
        return self.sums[begin:end]


_Fixed = Callable[[Mapping[str, float], Callable[[float], object], bool], tuple[object, ...]]
_RULES: dict[str, tuple[str, tuple[str, ...], _Fixed]] = {
    "sgd": ("sgd", (), lambda hyper, real, decoupled: ()),
    "momentum": ("momentum", ("velocity",), lambda hyper, real, decoupled: (real(hyper["momentum"]), np.int32(0))),
    "nesterov": ("momentum", ("velocity",), lambda hyper, real, decoupled: (real(hyper["momentum"]), np.int32(1))),
    "rmsprop": (
        "rmsprop",
        ("square_average",),
        lambda hyper, real, decoupled: (real(hyper["rmsprop_decay"]), real(1 - hyper["rmsprop_decay"]), real(hyper["epsilon"])),
    ),
    **dict.fromkeys(
        ("adam", "adamw"),
        (
            "adam",
            ("first_moment", "second_moment"),
            lambda hyper, real, decoupled: (
                np.int32(decoupled),
                *(real(value) for beta in ("beta1", "beta2") for value in (hyper[beta], 1 - hyper[beta])),
            ),
        ),
    ),
}
"""By optimizer: its kernel, the state it carries, and its numbers that never change."""


def _code(op: Op | None) -> np.int32:
    return np.int32(FUNCTION_CODES["identity" if op is None or op.function is None else op.function])


def _tiles(op: Op, down: int) -> tuple[int, int]:
    """Blocks across the columns and down the rows."""
    return _blocks(op.outputs, WARP), down


def _blocks(count: int, size: int) -> int:
    return max(1, -(-count // size))


def _up(count: int, to: int) -> int:
    return -(-count // to) * to


RULES = frozenset({"sgd", "momentum", "nesterov", "rmsprop", "adam"})
"""Kinds of operation that end an update. The rest of an update is fused into them."""

KERNELS: dict[Kind, tuple[str, ...]] = {
    Kind.GATHER: ("gather", "gather_classes"),
    Kind.DENSE: ("product", "bias_activation"),
    Kind.ACTIVATION: ("bias_activation",),
    Kind.MSE: ("mse", "finish_loss"),
    Kind.CROSS_ENTROPY: ("cross_entropy", "finish_loss"),
    Kind.BINARY_CROSS_ENTROPY: ("binary_cross_entropy", "finish_loss"),
    Kind.CORRECT_CLASSES: ("cross_entropy", "finish_loss"),
    Kind.CORRECT_OUTPUTS: ("binary_cross_entropy", "finish_loss"),
    Kind.ACTIVATION_GRADIENT: ("activation_gradient",),
    Kind.WEIGHT_GRADIENT: ("product",),
    Kind.BIAS_GRADIENT: ("activation_gradient", "bias_gradients"),
    Kind.INPUT_GRADIENT: ("product",),
    Kind.GRADIENT_SQUARES: ("gradient_squares",),
    Kind.CLIP_FACTOR: ("clip_factor",),
    Kind.CLIP: ("followed",),
    Kind.WEIGHT_DECAY: ("followed",),
    Kind.SCHEDULED_RATE: ("scalars",),
    Kind.DECAY_FACTOR: ("scalars",),
    Kind.BIAS_CORRECTION: ("scalars",),
    Kind.DECOUPLED_DECAY: ("adam",),
    Kind.SGD: ("sgd",),
    Kind.MOMENTUM: ("momentum",),
    Kind.NESTEROV: ("momentum",),
    Kind.RMSPROP: ("rmsprop",),
    Kind.ADAM: ("adam",),
    Kind.FLUSH_SUBNORMALS: ("written",),
}
"""Every kind of operation and what does it: functions of `step.cu`, a `product` of cuBLAS, or the host's `scalars`."""
