"""The ledger: predicted counts of a training step by layer, phase and kind, per example, step, epoch and run.

It computes with integers and allocates no arrays, so a network of any size is counted in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from tuisim import data
from tuisim.accounting.conventions import TUISIM, Convention, tools_per_example
from tuisim.accounting.formulas import FORMULAS
from tuisim.accounting.operations import Operations, share
from tuisim.config import RunConfig
from tuisim.program import Kind, Op, Phase, Role, StepProgram, build
from tuisim.provenance import Provenance

COUNTED_PHASES = (Phase.FORWARD, Phase.LOSS, Phase.BACKWARD, Phase.UPDATE)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One operation of the step and its cost."""

    layer: int | None
    phase: Phase
    kind: Kind
    what: str
    formula: str
    operations: Operations
    bytes_read: int
    bytes_written: int

    def to_dict(self) -> dict[str, Any]:
        """Return an entry of `rows` of the JSON document."""
        head = {"layer": self.layer, "phase": self.phase.value, "operation": self.kind.value, "formula": self.formula}
        return head | self.operations.as_dict() | {"bytes_read": self.bytes_read, "bytes_written": self.bytes_written}


@dataclass(frozen=True, slots=True)
class StepMemory:
    """Bytes of the buffers of a bound training step, by role."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    batch: int

    @property
    def total(self) -> int:
        """All bytes."""
        return self.parameters + self.gradients + self.optimizer + self.activations + self.batch


@dataclass(frozen=True)
class Ledger:
    """Counts of one configuration."""

    config: RunConfig
    program: StepProgram
    rows: tuple[LedgerRow, ...]
    examples: int | None
    """Training rows per epoch; None if it is known only after the data are loaded."""

    @property
    def layers(self) -> tuple[int, ...]:
        """The layer sizes."""
        return self.config.layers

    @property
    def batch(self) -> int:
        """Examples per step."""
        return self.program.batch

    @property
    def epochs(self) -> int | None:
        """Epochs of the run; None if it trains until stopped, or if only loading the data would tell."""
        return self.config.known_epochs

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        return self.config.parameter_count

    @cached_property
    def per_step(self) -> dict[Phase, Operations]:
        """Counts of one step by phase."""
        return _by_phase(self.rows)

    @cached_property
    def step_total(self) -> Operations:
        """Counts of one step, with the loss."""
        return sum(self.per_step.values(), Operations())

    @cached_property
    def step_total_without_loss(self) -> Operations:
        """Counts of one step, without the loss."""
        return sum((ops for phase, ops in self.per_step.items() if phase is not Phase.LOSS), Operations())

    @property
    def per_example(self) -> dict[Phase, dict[str, int | float]]:
        """Counts per example by phase."""
        return {phase: ops.per(self.batch) for phase, ops in self.per_step.items()}

    def by_layer(self) -> list[tuple[int | None, Phase, Operations]]:
        """Return the counts by layer and phase, in execution order; the layer is None for the loss and shared operations."""
        merged: dict[tuple[int | None, Phase], Operations] = {}
        for row in self.rows:
            if row.phase is not Phase.DATA:
                key = (row.layer, row.phase)
                merged[key] = merged.get(key, Operations()) + row.operations
        return [(layer, phase, operations) for (layer, phase), operations in merged.items()]

    @property
    def naive(self) -> int:
        """The naive count per example: N·M multiplications forward and N·M derivatives backward per layer."""
        return 2 * sum(n * m for n, m in zip(self.layers, self.layers[1:], strict=False))

    @property
    def ratio_to_naive(self) -> float:
        """Operations per example without the loss, over the naive count."""
        return self.step_total_without_loss.total / (self.naive * self.batch)

    @property
    def ratio_with_loss(self) -> float:
        """Operations per example with the loss, over the naive count."""
        return self.step_total.total / (self.naive * self.batch)

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps of one epoch; None if the number of examples is not known."""
        return None if self.examples is None else -(-self.examples // self.config.batch_size)

    @cached_property
    def per_epoch(self) -> dict[Phase, Operations] | None:
        """Counts of one epoch by phase: its full steps, and a shorter last step if there is one."""
        if self.examples is None:
            return None
        full, rest = divmod(self.examples, self.config.batch_size)
        epoch = {phase: operations * full for phase, operations in _per_step(self.config, self.config.batch_size).items()}
        if rest:
            short = _per_step(self.config, rest)
            epoch = {phase: epoch[phase] + short[phase] for phase in COUNTED_PHASES}
        return epoch

    @property
    def run(self) -> dict[Phase, Operations] | None:
        """Counts of the whole run by phase; None if its examples or epochs are not known."""
        if self.per_epoch is None or self.epochs is None:
            return None
        return {phase: operations * self.epochs for phase, operations in self.per_epoch.items()}

    @property
    def bytes_per_step(self) -> int:
        """Bytes that all operations of a step read and write: the memory traffic without any cache."""
        return sum(row.bytes_read + row.bytes_written for row in self.rows)

    @property
    def arithmetic_intensity(self) -> float:
        """FLOPs per byte moved."""
        return self.step_total.flops / self.bytes_per_step

    @cached_property
    def memory(self) -> StepMemory:
        """Bytes that a bound step holds."""
        return program_memory(self.program)

    @cached_property
    def tools_per_example(self) -> dict[str, int | float]:
        """Counts per example by the conventions of other tools."""
        return tools_per_example(self.program)

    def reported(self, convention: Convention) -> int | float:
        """Return the operations per example that `convention` counts."""
        if convention is TUISIM:
            return share(self.step_total_without_loss.total, self.batch)
        return self.tools_per_example[convention.key]

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on counts that depend on how an update rule is written."""
        kinds = {row.kind for row in self.rows}
        found: list[str] = []
        if Kind.ADAM in kinds:
            found.append(
                "Adam is executed and counted in the short form of Kingma & Ba (2015, section 2); PyTorch's form has the same "
                f"result and one more division per parameter: {self.parameters:,} more per step"
            )
        if Kind.FLUSH_SUBNORMALS in kinds:
            found.append(
                "flushing subnormals is counted as one comparison per number of optimizer state; most processors do it for free"
            )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim count --json` prints."""
        return {
            "layers": list(self.layers),
            "batch": self.batch,
            "examples": self.examples,
            "epochs": self.epochs,
            "parameters": self.parameters,
            "rows": [row.to_dict() for row in self.rows],
            "per_step": _plain(self.per_step),
            "per_example": {phase.value: counts for phase, counts in self.per_example.items()},
            "per_epoch": _plain(self.per_epoch),
            "run": _plain(self.run),
            "totals": {
                "step": self.step_total_without_loss.total,
                "step_with_loss": self.step_total.total,
                "example": share(self.step_total_without_loss.total, self.batch),
                "example_with_loss": share(self.step_total.total, self.batch),
                "epoch_with_loss": _total(self.per_epoch),
                "run_with_loss": _total(self.run),
            },
            "naive": self.naive,
            "ratio_to_naive": self.ratio_to_naive,
            "ratio_with_loss": self.ratio_with_loss,
            "tools_per_example": self.tools_per_example,
            "bytes_per_step": self.bytes_per_step,
            "arithmetic_intensity": self.arithmetic_intensity,
            "memory_bytes": asdict(self.memory) | {"total": self.memory.total},
            "notes": list(self.notes),
            "marks": _MARKS,
        }


_MARKS: dict[str, Provenance] = dict.fromkeys(("layers", "batch", "examples", "epochs"), Provenance.GIVEN) | dict.fromkeys(
    (
        "parameters", "rows[]", "per_step", "per_example", "per_epoch", "run", "totals", "naive", "ratio_to_naive",
        "ratio_with_loss", "tools_per_example", "bytes_per_step", "arithmetic_intensity", "memory_bytes", "notes",
    ),
    Provenance.COUNTED,
)  # fmt: skip
"""Provenance by path; it applies to everything beneath the path."""


def count(config: RunConfig) -> Ledger:
    """Return the ledger of a configuration. Raises DataError if the data decide the network and cannot be read."""
    config = data.fitted(config)
    program = full_step(config)
    return Ledger(config, program, tuple(_row(op, program) for op in program.ops), data.rows(config))


def full_step(config: RunConfig) -> StepProgram:
    """Return the program of a full step; a batch larger than the dataset is cut to its size."""
    examples = data.rows(config)
    return build(config, config.batch_size if examples is None else min(config.batch_size, examples))


def program_memory(program: StepProgram) -> StepMemory:
    """Return the bytes that a bound step of `program` holds, by role."""
    roles = dict.fromkeys(Role, 0)
    for name, buffer in program.buffers.items():
        if buffer.part_of is None:
            roles[buffer.role] += program.nbytes(name)
    return StepMemory(
        roles[Role.PARAMETER], roles[Role.GRADIENT], roles[Role.OPTIMIZER], roles[Role.ACTIVATION], roles[Role.DATA]
    )


def step_operations(program: StepProgram) -> Operations:
    """Return the counts of one execution of `program`, all operations together."""
    return sum((FORMULAS[op.kind].count(op) for op in program.ops), Operations())


def _row(op: Op, program: StepProgram) -> LedgerRow:
    formula = FORMULAS[op.kind]
    written = sum(map(program.nbytes, op.writes))
    read = sum(map(program.nbytes, op.reads))
    if op.kind is Kind.GATHER:
        read += written  # reads as many bytes from the dataset
    elif op.kind is Kind.FLUSH_SUBNORMALS:
        read = written = 0  # done while the update writes
    return LedgerRow(op.layer, op.phase, op.kind, formula.what, formula.text, formula.count(op), read, written)


def _by_phase(rows: Iterable[LedgerRow]) -> dict[Phase, Operations]:
    phases = dict.fromkeys(COUNTED_PHASES, Operations())
    for row in rows:
        if row.phase in phases:
            phases[row.phase] += row.operations
    return phases


def _per_step(config: RunConfig, batch: int) -> dict[Phase, Operations]:
    program = build(config, batch)
    return _by_phase(_row(op, program) for op in program.ops)


def _plain(phases: dict[Phase, Operations] | None) -> dict[str, dict[str, int]] | None:
    return None if phases is None else {phase.value: operations.as_dict() for phase, operations in phases.items()}


def _total(phases: dict[Phase, Operations] | None) -> int | None:
    return None if phases is None else sum(operations.total for operations in phases.values())
