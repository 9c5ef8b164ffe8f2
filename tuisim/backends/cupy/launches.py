"""Prepared launches of kernels and matrix products for each phase of a program.

Adjacent operations are fused: a bias with its activation, an activation gradient with the sums of the bias gradient, a whole
update with clipping and decay. The kernels are in `step.cu`.
"""

from __future__ import annotations

import numpy as np

from tuisim.backends.cupy.buffers import CupyBuffers
from tuisim.backends.cupy.gpu import FUNCTION_CODES, NULL, THREADS, WAVES, Call, DeviceArray, Gpu
from tuisim.backends.op_timing import OpCall
from tuisim.config.choices import SMALLEST_NORMAL
from tuisim.program import CLIP_EPSILON, LOSS_KINDS, OPTIMIZER_STATE, Kind, Op, StepProgram

WARP, TILE_ROWS = 32, 8
"""The same value as in `step.cu`."""
TILE = (WARP, TILE_ROWS)
WARPS = (WARP, 4)
"""Block of a loss kernel: one warp per row, four rows."""
MAX_Y = 65_535
"""Limit of the second dimension of a grid."""
MAX_PARTS = 64
"""Parts of the batch in a bias gradient; one thread adds up their sums."""
NORM_BLOCKS = 128
"""Blocks of the squared gradient norm; a fixed number, so that the sum does not depend on the GPU."""


class Launches:
    """The launches of one bound step, in order."""

    def __init__(self, gpu: Gpu, program: StepProgram, buffers: CupyBuffers) -> None:
        self._gpu, self._program, self._buffers = gpu, program, buffers
        self._arrays, self._common = buffers.arrays, buffers.common
        self._stopped = buffers.stopped
        self._bias_sums = _BiasSums(gpu, program)

    def _launch(self, name: str, grid: tuple[int, ...], block: tuple[int, ...], *args: object) -> Call:
        return self._gpu.kernel(name, self._program.dtype, grid, block, *args)

    def _ops(self, *kinds: Kind) -> list[Op]:
        return [op for op in self._program.ops if op.kind in kinds]

    # ── data ──

    def data(self, inputs: DeviceArray, targets: DeviceArray) -> list[OpCall]:
        """Return the launches that load the batch from arrays on the device."""
        batch, common, order = self._program.batch, self._common, self._buffers.order
        source_args = np.int64(len(inputs)), order, common.step, self._stopped

        def gather_rows(source: DeviceArray, name: str) -> Call:
            out = self._arrays[name]
            if out.ndim == 1:
                return self._launch("gather_classes", (_blocks(batch, THREADS),), (THREADS,), source, *source_args, out, batch)
            width = out.shape[1]
            grid = (min(_blocks(width, THREADS), 64), min(batch, MAX_Y))
            block = (min(THREADS, WARP * _blocks(width, WARP)),)
            return self._launch("gather", grid, block, source, *source_args, out, batch, width)

        gather = self._program.ops[0]
        return [(gather, gather_rows(inputs, "X")), (gather, gather_rows(targets, "Y"))]

    # ── forward ──

    def forward(self) -> list[OpCall]:
        """Return the launches of the forward pass."""
        calls: list[OpCall] = []
        activations = {op.layer: op for op in self._ops(Kind.ACTIVATION)}
        for op in self._ops(Kind.DENSE):
            a, weights, bias = (self._arrays[name] for name in op.reads)
            z = self._arrays[op.writes[0]]
            activation = activations.get(op.layer)
            out = NULL if activation is None else self._arrays[activation.writes[0]]
            # Enough blocks over the rows for the GPU, and not more than there are rows.
            enough = _blocks(WAVES * self._gpu.processors, _blocks(op.outputs, WARP))
            down = min(enough, _blocks(op.batch, TILE_ROWS), MAX_Y)
            biased = self._launch(
                "bias_activation", _tiles(op, down), TILE, z, bias, out, self._stopped, op.batch, op.outputs,
                _code(activation),
            )  # fmt: skip
            calls += [(op, self._gpu.matmul(a, weights, z, self._common.one, self._common.zero)), (op, biased)]
        return calls

    # ── loss ──

    def loss(self) -> list[OpCall]:
        """Return the launches of the loss."""
        (op,) = self._ops(*LOSS_KINDS)
        output, target = (self._arrays[name] for name in op.reads)
        row_loss, losses = self._buffers.row_loss, self._buffers.losses
        gradient = self._arrays[op.writes[1]] if op.learning else NULL
        terms = op.batch * (1 if op.kind is Kind.CROSS_ENTROPY else op.outputs)
        grid = (_blocks(op.batch, WARPS[1]),)
        finish = self._launch(
            "finish_loss", (1,), (THREADS,), row_loss, op.batch, 1.0 / terms, losses, self._common.step, self._stopped
        )
        rows = self._launch(op.kind.value, grid, WARPS, output, target, row_loss, gradient, self._stopped, op.batch, op.outputs)
        return [(op, rows), (op, finish)]

    # ── backward ──

    def backward(self) -> list[OpCall]:
        """Return the launches of the backward pass."""
        gradients = {op.layer: op for op in self._ops(Kind.ACTIVATION_GRADIENT)}
        inputs = {op.layer: op for op in self._ops(Kind.INPUT_GRADIENT)}
        biases = {op.layer: op for op in self._ops(Kind.BIAS_GRADIENT)}
        calls: list[OpCall] = []
        for op in self._ops(Kind.WEIGHT_GRADIENT):
            a, dz = (self._arrays[name] for name in op.reads)
            calls += [
                (gradients.get(op.layer, biases[op.layer]), self._activation_gradient(op, gradients.get(op.layer), a, dz)),
                # After a stop the product is 0 and is added to the previous gradient.
                (op, self._gpu.matmul(a, dz, self._arrays[op.writes[0]], self._common.one, self._stopped, transposed="a")),
            ]
            if op.layer in inputs:
                input_op = inputs[op.layer]
                weights, out = self._arrays[input_op.reads[1]], self._arrays[input_op.writes[0]]
                product = self._gpu.matmul(dz, weights, out, self._common.one, self._common.zero, transposed="b")
                calls.append((input_op, product))
        grid = (_blocks(max(self._program.layers[1:]), THREADS), len(self._program.layers) - 1)
        sums = self._launch(
            "bias_gradients", grid, (THREADS,), self._bias_sums.sums, self._bias_sums.table, self._arrays["gradients"],
            self._stopped,
        )  # fmt: skip
        return [*calls, (biases[1], sums)]

    def _activation_gradient(self, layer: Op, op: Op | None, a_before: DeviceArray, dz: DeviceArray) -> Call:
        """Also launched without an activation: the same kernel computes the sums of the bias gradient."""
        da, z, a = (dz, dz, dz) if op is None else (self._arrays[name] for name in op.reads)
        assert layer.layer is not None
        return self._launch(
            "activation_gradient", _tiles(layer, self._bias_sums.parts[layer.layer]), TILE, da, z, a, dz,
            self._bias_sums.of(layer.layer), self._stopped, layer.batch, layer.outputs, _code(op), a_before, a_before.size,
        )  # fmt: skip

    # ── update ──

    def update(self) -> list[OpCall]:
        """Return the launches of the update: one pass over the flat parameters, after the gradient norm if it is clipped."""
        calls: list[OpCall] = []
        factor: object = NULL
        if self._program.clip_norm is not None:
            factor = self._arrays["clip_factor"]
            calls += self._clipping(self._program.clip_norm)
        rule = next(op for op in self._program.ops if op.kind.value in OPTIMIZER_STATE)
        return [*calls, (rule, self._rule(factor))]

    def _clipping(self, limit: float) -> list[OpCall]:
        gradients = self._arrays["gradients"]
        sums = self._gpu.zeros(NORM_BLOCKS, "float64")
        squares, factor = self._ops(Kind.GRADIENT_SQUARES)[0], self._ops(Kind.CLIP_FACTOR)[0]
        norm = self._launch("gradient_squares", (NORM_BLOCKS,), (THREADS,), gradients, gradients.size, sums, self._stopped)
        clip = self._launch(
            "clip_factor", (1,), (THREADS,), sums, np.int32(NORM_BLOCKS), float(limit), CLIP_EPSILON, self._arrays["squares"],
            self._arrays["clip_factor"], self._stopped,
        )  # fmt: skip
        return [(squares, norm), (factor, clip)]

    def _rule(self, factor: object) -> Call:
        program, common, arrays = self._program, self._common, self._arrays
        real = np.float64 if program.dtype == "float64" else np.float32
        name, hyper = program.optimizer, program.hyperparameters
        decay, rest = program.weight_decay, {beta: 1 - value for beta, value in hyper.items()}
        constants: tuple[object, ...] = ()
        if name in ("momentum", "nesterov"):
            name, constants = "momentum", (real(hyper["momentum"]), np.int32(name == "nesterov"))
        elif name == "rmsprop":
            constants = real(hyper["rmsprop_decay"]), real(rest["rmsprop_decay"]), real(hyper["epsilon"])
        elif name in ("adam", "adamw"):
            betas = (real(value) for beta in ("beta1", "beta2") for value in (hyper[beta], rest[beta]))
            name, constants = "adam", (np.int32(name == "adamw" and decay > 0), *betas)
        if state := tuple(arrays[part] for part in OPTIMIZER_STATE[program.optimizer]):
            constants += real(SMALLEST_NORMAL[program.dtype] if program.flushes else 0.0), common.flushed
        theta = arrays["parameters"]
        return self._launch(
            name, (min(_blocks(theta.size, THREADS), WAVES * self._gpu.processors),), (THREADS,), theta, arrays["gradients"],
            *state, factor, real(0.0 if program.optimizer == "adamw" else decay), *constants,
            self._buffers.scalars, common.step, self._stopped, theta.size,
        )  # fmt: skip


class _BiasSums:
    """The partial sums of the bias gradient: for each layer those of some parts of the batch."""

    def __init__(self, gpu: Gpu, program: StepProgram) -> None:
        self.parts: dict[int, int] = {}
        self._places: dict[int, tuple[int, int]] = {}
        begin, table = 0, []
        for op in program.ops:
            if op.kind is Kind.WEIGHT_GRADIENT:
                assert op.layer is not None
                enough = _blocks(2 * gpu.processors, _blocks(op.outputs, WARP))
                count = max(1, min(enough, _blocks(op.batch, 4 * TILE_ROWS), MAX_PARTS))
                self.parts[op.layer] = count
                self._places[op.layer] = begin, begin + count * op.outputs
                table += [begin, count, op.outputs, program.buffers[f"gb{op.layer}"].offset]
                begin += count * op.outputs
        self.sums = gpu.zeros(max(begin, 1), program.dtype)
        self.table = gpu.zeros(max(len(table), 1), "int64")
        if table:
            self.table.set(np.array(table, np.int64))

    def of(self, layer: int) -> DeviceArray:
        """Return the sums of one layer."""
        begin, end = self._places[layer]
        return self.sums[begin:end]


def _code(op: Op | None) -> np.int32:
    return np.int32(FUNCTION_CODES["identity" if op is None or op.function is None else op.function])


def _tiles(op: Op, down: int) -> tuple[int, int]:
    """Return the blocks over columns and rows."""
    return _blocks(op.outputs, WARP), down


def _blocks(count: int, size: int) -> int:
    return max(1, -(-count // size))
