"""The profile of a step: the time of each operation on its backend, the same with every size 1, and the whole step unsplit.

The learning rate is zero and the rows are random, as in every timed step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from time import perf_counter
from typing import Any

from tuisim import units
from tuisim.accounting import count
from tuisim.accounting.ledger import LedgerRow
from tuisim.backends import choose, get_backend
from tuisim.config import RunConfig
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.engine.step_time import least_seconds, spread
from tuisim.errors import RunError
from tuisim.measure.ceiling import Ceiling
from tuisim.measure.peaks import Peaks, peaks_of
from tuisim.measure.processor import environment
from tuisim.measure.roofs import roofs_of
from tuisim.predict.work import PRODUCTS
from tuisim.program import Kind, Op, StepProgram
from tuisim.provenance import Provenance

SECONDS = 0.5
"""Seconds for the steps that are split into their operations."""
SMALLEST_SECONDS = 0.1
"""Seconds for the network whose every size is 1."""
MIN_SPLITS, MAX_SPLITS = 2, 200
"""Split steps in a round: a cold one alone says nothing, and more would add nothing."""
MAX_STEP_SECONDS = 3.0
"""A step that takes longer is not profiled."""
SPLIT_RATIO = 1.05
"""The ratio of the split step to the whole one above which a note says that they differ."""


@dataclass(frozen=True, slots=True)
class OperationTime:
    """Counts and time of one operation of the step. A rate is None if the time is 0."""

    op: Op
    row: LedgerRow
    seconds: float
    """The median; 0 if another operation's kernel includes it."""
    spread: float
    """Half the range of the middle 80 %."""
    floor: float
    """Seconds of the same operation with batch and widths 1: the overhead of the call."""
    working_set: int
    """Bytes of the buffers it reads or writes, each once."""

    @property
    def bytes(self) -> int:
        """The bytes read and written, every operand once."""
        return self.row.bytes_read + self.row.bytes_written

    @property
    def intensity(self) -> float | None:
        """FLOP/byte; None if it moves no bytes."""
        return self.row.operations.flops / self.bytes if self.bytes else None

    @property
    def flops_per_second(self) -> float | None:
        """The counted FLOPs over the time."""
        return self._rate(self.row.operations.flops)

    @property
    def multiply_adds_per_second(self) -> float | None:
        """The multiplications and additions over the time."""
        return self._rate(self.row.operations.multiply_adds)

    @property
    def bytes_per_second(self) -> float | None:
        """The bytes read and written over the time."""
        return self._rate(self.bytes)

    def _rate(self, amount: int) -> float | None:
        return amount / self.seconds if self.seconds > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "layer": self.row.layer, "phase": self.row.phase.value, "operation": self.row.kind.value,
            "counts": self.row.operations.as_dict(), "bytes_read": self.row.bytes_read, "bytes_written": self.row.bytes_written,
            "working_set_bytes": self.working_set, "intensity": self.intensity, "seconds": self.seconds, "spread": self.spread,
            "floor_seconds": self.floor, "flops_per_second": self.flops_per_second,
            "multiply_adds_per_second": self.multiply_adds_per_second, "bytes_per_second": self.bytes_per_second,
        }  # fmt: skip


@dataclass(frozen=True)
class StepProfile:
    """The measured times of one step and its operations."""

    config: RunConfig
    """The resolved configuration."""
    batch: int
    device: str
    operations: tuple[OperationTime, ...]
    """In the program's order."""
    step_seconds: float
    """Seconds of a whole step among many, unsplit: the median of the rounds."""
    step_spread: float
    samples: int
    """The number of split steps."""
    peaks: Peaks
    step_bytes: int
    """Bytes of all buffers of the step."""
    roofs: tuple[Ceiling, ...] = ()
    """Memory roofs by level, of one thread and of as many as the matrix products use; empty if the caches are not known."""

    def memory_roof(self, one: OperationTime) -> Ceiling:
        """Return the roof of the fastest level that holds all buffers of an operation at once.

        A roof by the reuse distance within the step would be lower, and exceeded by buffers that are still in a faster cache.
        """
        threads = self.peaks.threads if one.op.kind in PRODUCTS else 1
        return self._level(one.working_set, threads) or self.peaks.copies

    @cached_property
    def step_peaks(self) -> Peaks:
        """The peaks with the memory rate of the level that holds the whole step: between two steps every buffer stays there."""
        found = self._level(self.step_bytes, 1)
        if found is None:
            return self.peaks
        return replace(self.peaks, bytes_per_second=found.per_second, bytes_spread=found.spread, level=found.level)

    def _level(self, size: int, threads: int) -> Ceiling | None:
        known = (roof for roof in self.roofs if roof.threads == threads and (roof.holds is None or size <= roof.holds))
        return next(known, None)

    @cached_property
    def split_seconds(self) -> float:
        """The sum of the operations' own times."""
        return sum(one.seconds for one in self.operations)

    @property
    def outside(self) -> float:
        """Seconds of a step outside its operations; 0 if the split ones take longer than the whole step."""
        return max(0.0, self.step_seconds - self.split_seconds)

    @property
    def whole(self) -> float:
        """The denominator of shares: the step, or the sum of its operations if that is longer."""
        return max(self.step_seconds, self.split_seconds)

    def share(self, one: OperationTime) -> float:
        """Return an operation's share of the step, from 0 to 1."""
        return one.seconds / self.whole if self.whole > 0 else 0.0

    @property
    def denominator(self) -> str:
        """The source of the peak: the library and its kernel, or the device, with threads and dtype."""
        peaks = self.peaks
        if peaks.device:
            return f"{peaks.device}, {peaks.dtype}"
        known = (peaks.blas.library, peaks.blas.kernel) if peaks.blas else ()
        return f"{' '.join(filter(None, known)) or 'NumPy'} ×{peaks.threads}, {peaks.dtype}"

    @property
    def notes(self) -> tuple[str, ...]:
        """Reservations about the shares, in sentences."""
        if self.step_seconds <= 0 or self.split_seconds <= SPLIT_RATIO * self.step_seconds:
            return ()
        ratio = self.split_seconds / self.step_seconds
        return (f"operation by operation the step takes {ratio:.2f} × as long as in one piece: shares are of that sum",)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; `marks` gives their provenance."""
        peaks = ("flops_per_second", "bytes_per_second", "flops_spread", "bytes_spread")
        return {
            "config": self.config.to_dict(), "batch": self.batch, "backend": self.config.backend, "device": self.device,
            "operations": [one.to_dict() | {"share": self.share(one)} for one in self.operations],
            "step_seconds": self.step_seconds, "step_spread": self.step_spread, "step_bytes": self.step_bytes,
            "outside_seconds": self.outside, "samples": self.samples,
            "peaks": {name: getattr(self.peaks, name) for name in peaks} | {"of": self.denominator},
            "notes": list(self.notes), "environment": environment(), "marks": _MARKS,
        }  # fmt: skip


_COUNTED = ("layer", "counts", "bytes_read", "bytes_written", "working_set_bytes", "intensity")
_MEASURED = ("seconds", "spread", "floor_seconds", "flops_per_second", "multiply_adds_per_second", "bytes_per_second", "share")
_MARKS: dict[str, Provenance] = (
    dict.fromkeys(("config", "batch"), Provenance.GIVEN)
    | dict.fromkeys((*(f"operations[].{name}" for name in _COUNTED), "samples", "step_bytes"), Provenance.COUNTED)
    | dict.fromkeys((*(f"operations[].{name}" for name in _MEASURED), "step_seconds"), Provenance.MEASURED)
    | dict.fromkeys(("step_spread", "outside_seconds", "peaks"), Provenance.MEASURED)
)


def profile_step(config: RunConfig, report: Callable[[float], None] = lambda done: None) -> StepProfile:
    """Profile a step of `config` on its backend; `report` is called with the share of the rounds that is done.

    Raises BackendError, MemoryNeeded, and RunError if a step is too long to be repeated or its loss is not a number.
    """
    config = replace(config, backend=choose(config).name).of_known_length().resolved()
    assert config.threads is not None
    ledger, backend = count(config), get_backend(config.backend)
    with backend.threads(config.threads):
        _check_length(least_seconds(config.backend, ledger), " or more")
        peaks = peaks_of(backend, config.dtype, config.threads)
        roofs = roofs_of(backend, config.threads)
        case = BenchmarkCase(config, ledger.batch)
        _check_length(case.single)
        smallest = BenchmarkCase(replace(config, layers=(1,) * len(config.layers), batch_size=1), 1)
        # In turn, so that a disturbance affects all of them alike.
        whole: list[float] = []
        splits: list[list[float]] = []
        floors: list[list[float]] = []
        for number in range(case.rounds):
            whole.append(case.timed())
            splits += _splits(case, SECONDS / case.rounds)
            floors += _splits(smallest, SMALLEST_SECONDS / case.rounds)
            report((number + 1) / case.rounds)
    operations = tuple(
        OperationTime(op, row, median(seconds), spread(seconds), median(floor), working_set(ledger.program, op))
        for op, row, seconds, floor in zip(
            ledger.program.ops, ledger.rows, zip(*splits, strict=True), zip(*floors, strict=True), strict=True
        )
    )
    step_bytes = working_set(ledger.program, *ledger.program.ops)
    return StepProfile(
        config, ledger.batch, case.device, operations, median(whole), spread(whole), len(splits), peaks, step_bytes, roofs
    )


def working_set(program: StepProgram, *ops: Op) -> int:
    """Return the bytes of all buffers that `ops` touch, each once; a gather also touches the rows of the data it copies."""
    names = {name for op in ops for name in (*op.reads, *op.writes)}
    rows = sum(program.nbytes(name) for op in ops if op.kind is Kind.GATHER for name in op.writes)
    return rows + sum(map(program.nbytes, names - {part for part in names if program.buffers[part].part_of in names}))


def _splits(case: BenchmarkCase, seconds: float) -> list[list[float]]:
    """Time each operation in a few steps at least, and for about `seconds`."""
    found: list[list[float]] = []
    until = perf_counter() + seconds
    while len(found) < MIN_SPLITS or (perf_counter() < until and len(found) < MAX_SPLITS):
        found.append(case.by_operation())
    return found


def _check_length(seconds: float, more: str = "") -> None:
    """Raise RunError if a step is too long to be repeated."""
    if seconds > MAX_STEP_SECONDS:
        raise RunError(
            f"left out: a step would take {units.duration(seconds)}{more}, longer than the {MAX_STEP_SECONDS:g} s that can be "
            "repeated; a smaller network or batch, or a faster backend, can be profiled"
        )
