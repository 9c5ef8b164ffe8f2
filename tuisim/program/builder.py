"""Build the step program of a configuration: its operations in order, and their buffers.

No arrays are allocated, so a program of any size is built in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tuisim.config import RunConfig
from tuisim.config.choices import HYPERPARAMETERS
from tuisim.program.ops import OPTIMIZER_STATE, Buffer, Kind, Op, Phase, Role
from tuisim.program.schedule import Schedule, schedule_of


@dataclass(frozen=True)
class StepProgram:
    """One step of `batch` examples, immutable: what is counted, run, timed and drawn.

    With `learning` it is a training step; without, the evaluation program (forward and loss).
    """

    layers: tuple[int, ...]
    activations: tuple[str, ...]
    loss: str
    optimizer: str
    hyperparameters: Mapping[str, float]
    """The hyperparameters the optimizer reads, by their field names in RunConfig."""
    weight_decay: float
    clip_norm: float | None
    schedule: Schedule
    dtype: str
    flushes: bool
    """True if subnormal numbers in the optimizer state become 0."""
    batch: int
    learning: bool
    ops: tuple[Op, ...]
    buffers: Mapping[str, Buffer]
    outputs: tuple[str, ...]
    """The names of the buffers with each layer's outputs, the inputs X first."""

    @property
    def itemsize(self) -> int:
        """Bytes of one number of the dtype."""
        return 8 if self.dtype == "float64" else 4

    @property
    def largest_product(self) -> int:
        """Multiplications of the largest layer's forward product, B·N·M."""
        return max(op.batch * op.inputs * op.outputs for op in self.ops if op.kind is Kind.DENSE)

    def nbytes(self, name: str) -> int:
        """Return the bytes of one buffer."""
        buffer = self.buffers[name]
        return buffer.size * (8 if buffer.integer else self.itemsize)


def build(config: RunConfig, batch: int | None = None, *, learning: bool = True) -> StepProgram:
    """Return the program of one step of `batch` examples, by default of the configured batch size."""
    return _Builder(config.fitted(), config.batch_size if batch is None else batch, learning).program()


class _Builder:
    def __init__(self, config: RunConfig, batch: int, learning: bool) -> None:
        self.config, self.batch, self.learning = config, batch, learning
        self.depth = len(config.layers) - 1
        self.outputs = ["X", *(f"z{k}" if name == "identity" else f"a{k}" for k, name in enumerate(config.activations, 1))]
        self.schedule = schedule_of(config)
        self.clips = config.clip_norm is not None
        self.decays_gradient = config.weight_decay > 0 and config.optimizer != "adamw"
        self.decouples_decay = config.weight_decay > 0 and config.optimizer == "adamw"
        self.ops: list[Op] = []
        self.buffers: dict[str, Buffer] = {}

    def program(self) -> StepProgram:
        self._lay_out_parameters()
        self._data()
        for layer in range(1, self.depth + 1):
            self._forward(layer)
        self._loss()
        if self.learning:
            for layer in range(self.depth, 0, -1):
                self._backward(layer)
            self._update()
        config = self.config
        return StepProgram(
            layers=config.layers,
            activations=config.activations,
            loss=config.loss,
            optimizer=config.optimizer,
            hyperparameters=MappingProxyType({name: getattr(config, name) for name in HYPERPARAMETERS[config.optimizer]}),
            weight_decay=config.weight_decay,
            clip_norm=config.clip_norm,
            schedule=self.schedule,
            dtype=config.dtype,
            flushes=config.subnormals == "flush",
            batch=self.batch,
            learning=self.learning,
            ops=tuple(self.ops),
            buffers=MappingProxyType(self.buffers),
            outputs=tuple(self.outputs),
        )

    # ── buffers ──

    def _buffer(
        self, name: str, *shape: int, role: Role, integer: bool = False, part_of: str | None = None, offset: int = 0
    ) -> str:
        self.buffers[name] = Buffer(name, shape, role, integer, part_of, offset)
        return name

    def _lay_out_parameters(self) -> None:
        """Add one flat buffer each for parameters, gradients and optimizer state, with per-layer parts in the same order."""
        total = self.config.parameter_count
        flats = [("parameters", "theta", Role.PARAMETER)]
        if self.learning:
            flats.append(("gradients", "g", Role.GRADIENT))
            if self.clips:
                flats.append(("clipped_gradients", "clipped", Role.GRADIENT))
            elif self.decays_gradient:
                flats.append(("decayed_gradients", "decayed", Role.GRADIENT))
            flats += [(name, name, Role.OPTIMIZER) for name in OPTIMIZER_STATE[self.config.optimizer]]
        for flat, part, role in flats:
            self._buffer(flat, total, role=role)
            offset = 0
            for layer in range(1, self.depth + 1):
                n, m = self._sizes(layer)
                self._buffer(f"{part}{layer}", (n + 1) * m, role=role, part_of=flat, offset=offset)
                if part in ("theta", "g"):
                    weights, biases = (f"W{layer}", f"b{layer}") if part == "theta" else (f"gW{layer}", f"gb{layer}")
                    self._buffer(weights, n, m, role=role, part_of=flat, offset=offset)
                    self._buffer(biases, m, role=role, part_of=flat, offset=offset + n * m)
                offset += (n + 1) * m

    def _sizes(self, layer: int) -> tuple[int, int]:
        return self.config.layers[layer - 1], self.config.layers[layer]

    def _acts(self, layer: int) -> bool:
        return self.config.activations[layer - 1] != "identity"

    # ── operations ──

    def _op(
        self,
        kind: Kind,
        phase: Phase,
        layer: int | None,
        reads: tuple[str, ...],
        writes: tuple[str, ...],
        function: str | None = None,
    ) -> None:
        n, m = self._sizes(self.depth if layer is None else layer)
        self.ops.append(Op(kind, phase, layer, reads, writes, self.batch, n, m, function, self.learning))

    def _data(self) -> None:
        classes = self.config.loss == "cross_entropy"
        target = (self.batch,) if classes else (self.batch, self.config.layers[-1])
        self._buffer("rows", self.batch, role=Role.DATA, integer=True)
        self._buffer("X", self.batch, self.config.layers[0], role=Role.DATA)
        self._buffer("Y", *target, role=Role.DATA, integer=classes)
        self._op(Kind.GATHER, Phase.DATA, None, ("rows",), ("X", "Y"))

    def _forward(self, layer: int) -> None:
        m = self.config.layers[layer]
        z = self._buffer(f"z{layer}", self.batch, m, role=Role.ACTIVATION)
        self._op(Kind.DENSE, Phase.FORWARD, layer, (self.outputs[layer - 1], f"W{layer}", f"b{layer}"), (z,))
        if self._acts(layer):
            a = self._buffer(f"a{layer}", self.batch, m, role=Role.ACTIVATION)
            self._op(Kind.ACTIVATION, Phase.FORWARD, layer, (z,), (a,), self.config.activations[layer - 1])

    def _loss(self) -> None:
        output = self.outputs[self.depth]
        writes: tuple[str, ...] = (self._buffer("loss", role=Role.RESULT),)
        if self.learning:
            gradient = self._buffer(f"d{self.outputs[self.depth]}", self.batch, self.config.layers[-1], role=Role.ACTIVATION)
            writes += (gradient,)
        self._op(Kind(self.config.loss), Phase.LOSS, None, (output, "Y"), writes)

    def _backward(self, layer: int) -> None:
        n, m = self._sizes(layer)
        dz = f"dz{layer}"
        if self._acts(layer):
            self._buffer(dz, self.batch, m, role=Role.ACTIVATION)
            reads = (f"da{layer}", f"z{layer}", f"a{layer}")
            self._op(Kind.ACTIVATION_GRADIENT, Phase.BACKWARD, layer, reads, (dz,), self.config.activations[layer - 1])
        self._op(Kind.WEIGHT_GRADIENT, Phase.BACKWARD, layer, (self.outputs[layer - 1], dz), (f"gW{layer}",))
        self._op(Kind.BIAS_GRADIENT, Phase.BACKWARD, layer, (dz,), (f"gb{layer}",))
        if layer > 1:
            previous = self._buffer(f"d{self.outputs[layer - 1]}", self.batch, n, role=Role.ACTIVATION)
            self._op(Kind.INPUT_GRADIENT, Phase.BACKWARD, layer, (dz, f"W{layer}"), (previous,))

    def _update(self) -> None:
        """Add the operations on the whole network, then the update of each layer."""
        optimizer = self.config.optimizer
        if self.clips:  # by the squared gradient norm, summed layer by layer
            squares = self._buffer("squares", role=Role.RESULT)
            for layer in range(1, self.depth + 1):
                reads = (f"g{layer}",) if layer == 1 else (f"g{layer}", squares)
                self._op(Kind.GRADIENT_SQUARES, Phase.UPDATE, layer, reads, (squares,))
            self._op(Kind.CLIP_FACTOR, Phase.UPDATE, None, (squares,), (self._buffer("clip_factor", role=Role.RESULT),))
        if self.schedule.varies:
            self._op(Kind.SCHEDULED_RATE, Phase.UPDATE, None, (), ())
            if self.decouples_decay:
                self._op(Kind.DECAY_FACTOR, Phase.UPDATE, None, (), ())
        if optimizer in ("adam", "adamw"):
            self._op(Kind.BIAS_CORRECTION, Phase.UPDATE, None, (), ())
        for layer in range(1, self.depth + 1):
            theta, gradient = f"theta{layer}", f"g{layer}"
            if self.clips:
                self._op(Kind.CLIP, Phase.UPDATE, layer, (gradient, "clip_factor"), (f"clipped{layer}",))
                gradient = f"clipped{layer}"
            if self.decays_gradient:
                decayed = gradient if self.clips else f"decayed{layer}"
                self._op(Kind.WEIGHT_DECAY, Phase.UPDATE, layer, (gradient, theta), (decayed,))
                gradient = decayed
            if self.decouples_decay:
                self._op(Kind.DECOUPLED_DECAY, Phase.UPDATE, layer, (theta,), (theta,))
            state = tuple(f"{name}{layer}" for name in OPTIMIZER_STATE[optimizer])
            kind = Kind.ADAM if optimizer == "adamw" else Kind(optimizer)
            self._op(kind, Phase.UPDATE, layer, (theta, gradient, *state), (theta, *state))
            if state and self.config.subnormals == "flush":
                self._op(Kind.FLUSH_SUBNORMALS, Phase.UPDATE, layer, state, state)
