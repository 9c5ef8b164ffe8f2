"""What each operation of a step takes on its backend, the same with every size one, and the whole step unsplit.

The rate is zero and the rows are random, as wherever steps are timed here. It does not know what would make a step faster.
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
from tuisim.accounting.ledger import Row
from tuisim.backends import choose, get_backend
from tuisim.config import RunConfig
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.engine.step_time import Wanted, least_seconds, spread
from tuisim.errors import RunError
from tuisim.measure.ceiling import Ceiling
from tuisim.measure.environment import environment
from tuisim.measure.peaks import Peaks, peaks_of
from tuisim.measure.roofs import roofs_of
from tuisim.predict.work import PRODUCTS
from tuisim.program import Kind, Op, StepProgram
from tuisim.provenance import Provenance

SECONDS = 0.5
"""For the steps that are split into their operations."""
SMALLEST_SECONDS = 0.1
"""For the network whose every size is one."""
LEAST_SPLITS, MOST_SPLITS = 2, 200
"""Split steps in a round: of a cold one alone nothing could be said, and more would say no more."""
LONGEST_STEP = 3.0
"""Seconds; a step that takes longer is left out, and why is said."""
SPLIT_COSTS = 1.05
"""From this ratio of the split step to the whole one on, it is said that they differ."""


@dataclass(frozen=True, slots=True)
class OpTime:
    """One operation of the step: its counts and its time. A rate is none where the time is 0."""

    op: Op
    row: Row
    seconds: float
    """The median; 0 where another operation's kernel does it on the way."""
    spread: float
    """Half the range that holds the middle 80 %."""
    floor: float
    """Seconds of the same operation where batch and widths are one: what calling it takes."""
    working_set: int
    """Bytes of the buffers it reads or writes, each once."""

    @property
    def bytes(self) -> int:
        """Read and written, every operand once."""
        return self.row.bytes_read + self.row.bytes_written

    @property
    def intensity(self) -> float | None:
        """FLOPs per byte; none where it moves no bytes."""
        return self.row.operations.flops / self.bytes if self.bytes else None

    @property
    def flops_per_second(self) -> float | None:
        return self._rate(self.row.operations.flops)

    @property
    def multiply_adds_per_second(self) -> float | None:
        return self._rate(self.row.operations.multiply_adds)

    @property
    def bytes_per_second(self) -> float | None:
        return self._rate(self.bytes)

    def _rate(self, amount: int) -> float | None:
        return amount / self.seconds if self.seconds > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values; null where there is no rate."""
        return {
            "layer": self.row.layer,
            "phase": self.row.phase.value,
            "operation": self.row.kind.value,
            "counts": self.row.operations.as_dict(),
            "bytes_read": self.row.bytes_read,
            "bytes_written": self.row.bytes_written,
            "working_set_bytes": self.working_set,
            "intensity": self.intensity,
            "seconds": self.seconds,
            "spread": self.spread,
            "floor_seconds": self.floor,
            "flops_per_second": self.flops_per_second,
            "multiply_adds_per_second": self.multiply_adds_per_second,
            "bytes_per_second": self.bytes_per_second,
        }


@dataclass(frozen=True)
class Profile:
    """One step taken apart."""

    config: RunConfig
    """As resolved."""
    batch: int
    device: str
    operations: tuple[OpTime, ...]
    """In the program's order."""
    step_seconds: float
    """Of a whole step among many, unsplit: the median of the rounds."""
    step_spread: float
    samples: int
    """Steps that were split."""
    peaks: Peaks
    step_bytes: int
    """Those of all buffers of the step."""
    roofs: tuple[Ceiling, ...] = ()
    """Memory ceilings by level, of one thread and of as many as the matrix products use; empty if the caches are not known."""

    def memory_roof(self, one: OpTime) -> Ceiling:
        """Return the ceiling of the innermost level that holds all buffers of `one` at once: none of them can come from a
        faster one in full, whereas the reuse distance within the step would give a lower roof, which buffers left in a cache
        by the operation before exceed.
        """
        threads = self.peaks.threads if one.op.kind in PRODUCTS else 1
        return self._level(one.working_set, threads) or self.peaks.copies

    def inner_roof(self, one: OpTime) -> Ceiling | None:
        """Return the ceiling of the next faster level, which may hold a part of the buffers of `one`; None if there is none."""
        roof = self.memory_roof(one)
        inner = [other for other in self.roofs if other.threads == roof.threads and other.holds and other.holds < one.working_set]
        return inner[-1] if inner else None

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
        """The operations' own times together."""
        return sum(one.seconds for one in self.operations)

    @property
    def outside(self) -> float:
        """Seconds of a step outside its operations; 0 where the split ones take longer than the whole step."""
        return max(0.0, self.step_seconds - self.split_seconds)

    @property
    def whole(self) -> float:
        """What shares are of: the step, or the sum of its operations where that is longer."""
        return max(self.step_seconds, self.split_seconds)

    def share(self, one: OpTime) -> float:
        """Of the step, from 0 to 1."""
        return one.seconds / self.whole if self.whole > 0 else 0.0

    @property
    def denominator(self) -> str:
        """Whose peak it is: the library and its kernel, or the device, with threads and dtype."""
        peaks = self.peaks
        if peaks.device:
            return f"{peaks.device}, {peaks.dtype}"
        known = (peaks.blas.library, peaks.blas.kernel) if peaks.blas else ()
        return f"{' '.join(filter(None, known)) or 'NumPy'} ×{peaks.threads}, {peaks.dtype}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know before trusting the shares."""
        if self.step_seconds <= 0 or self.split_seconds <= SPLIT_COSTS * self.step_seconds:
            return ()
        ratio = self.split_seconds / self.step_seconds
        return (f"operation by operation the step takes {ratio:.2f} × as long as in one piece: shares are of that sum",)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `marks` says what kind of number each is."""
        return {
            "config": self.config.to_dict(),
            "batch": self.batch,
            "backend": self.config.backend,
            "device": self.device,
            "operations": [one.to_dict() | {"share": self.share(one)} for one in self.operations],
            "step_seconds": self.step_seconds,
            "step_spread": self.step_spread,
            "step_bytes": self.step_bytes,
            "outside_seconds": self.outside,
            "samples": self.samples,
            "peaks": {
                "flops_per_second": self.peaks.flops_per_second,
                "bytes_per_second": self.peaks.bytes_per_second,
                "flops_spread": self.peaks.flops_spread,
                "bytes_spread": self.peaks.bytes_spread,
                "of": self.denominator,
            },
            "notes": list(self.notes),
            "environment": environment(),
            "marks": _MARKS,
        }


_MARKS: dict[str, Provenance] = (
    dict.fromkeys(("config", "batch"), Provenance.GIVEN)
    | dict.fromkeys(
        (
            "operations[].layer", "operations[].counts", "operations[].bytes_read", "operations[].bytes_written",
            "operations[].working_set_bytes", "operations[].intensity", "samples", "step_bytes",
        ),
        Provenance.COUNTED,
    )
    | dict.fromkeys(
        (
            "operations[].seconds", "operations[].spread", "operations[].floor_seconds", "operations[].flops_per_second",
            "operations[].multiply_adds_per_second", "operations[].bytes_per_second", "operations[].share", "step_seconds",
            "step_spread", "outside_seconds", "peaks",
        ),
        Provenance.MEASURED,
    )
)  # fmt: skip


def profile(config: RunConfig, wanted: Wanted = lambda: True, tell: Callable[[float], None] = lambda share: None) -> Profile:
    """Take a step of `config` apart on its backend; `tell` hears which share of the rounds is done.

    Once nobody wants it any longer it ends with the rounds it has. Raises BackendError, MemoryNeeded, and RunError where a
    step is too long to be repeated or its loss is no number.
    """
    config = replace(config, backend=choose(config).name).of_known_length().resolved()
    assert config.threads is not None
    ledger, backend = count(config), get_backend(config.backend)
    with backend.threads(config.threads):
        _check_length(least_seconds(config.backend, ledger), " or more")
        peaks = peaks_of(backend, config.dtype, config.threads)
        roofs = roofs_of(backend, config.threads)
        subject = BenchmarkCase(config, ledger.batch)
        _check_length(subject.single)
        whole, splits, smallest = _rounds(subject, BenchmarkCase(_smallest(config), 1), wanted, tell)
    floors, columns = map(median, zip(*smallest, strict=True)), zip(*splits, strict=True)
    operations = tuple(
        OpTime(op, row, median(seconds), spread(seconds), floor, working_set(ledger.program, op))
        for op, row, seconds, floor in zip(ledger.program.ops, ledger.rows, columns, floors, strict=True)
    )
    step_bytes = working_set(ledger.program, *ledger.program.ops)
    return Profile(
        config, ledger.batch, subject.device, operations, median(whole), spread(whole), len(splits), peaks, step_bytes, roofs
    )


def working_set(program: StepProgram, *ops: Op) -> int:
    """Return the bytes of all buffers that `ops` touch, each once; a gather also touches the rows of the data it copies."""
    names = {name for op in ops for name in (*op.reads, *op.writes)}
    rows = sum(program.nbytes(name) for op in ops if op.kind is Kind.GATHER for name in op.writes)
    return rows + sum(map(program.nbytes, names - {part for part in names if program.buffers[part].part_of in names}))


def _rounds(
    subject: BenchmarkCase, smallest: BenchmarkCase, wanted: Wanted, tell: Callable[[float], None]
) -> tuple[list[float], list[list[float]], list[list[float]]]:
    """Seconds of the whole step, of its operations, and of the same on one number: in turn, so that all share a busy moment."""
    whole: list[float] = []
    splits: list[list[float]] = []
    floors: list[list[float]] = []
    for number in range(subject.rounds):
        if number and not wanted():
            break
        whole.append(subject.timed())
        splits += _splits(subject, SECONDS / subject.rounds)
        floors += _splits(smallest, SMALLEST_SECONDS / subject.rounds)
        tell((number + 1) / subject.rounds)
    return whole, splits, floors


def _splits(subject: BenchmarkCase, seconds: float) -> list[list[float]]:
    """Seconds of each operation, of a few steps at least and for about so long."""
    found: list[list[float]] = []
    until = perf_counter() + seconds
    while len(found) < LEAST_SPLITS or (perf_counter() < until and len(found) < MOST_SPLITS):
        found.append(subject.by_operation())
    return found


def _smallest(config: RunConfig) -> RunConfig:
    """The same operations, each on one number."""
    return replace(config, layers=(1,) * len(config.layers), batch_size=1)


def _check_length(seconds: float, more: str = "") -> None:
    """Raises RunError where so long a step is not to be repeated."""
    if seconds > LONGEST_STEP:
        raise RunError(
            f"left out: a step would take {units.duration(seconds)}{more}, longer than the {LONGEST_STEP:g} s that can be "
            "repeated; a smaller network or batch, or a faster backend, can be taken apart"
        )
