"""The cost fit: seconds per step = a + b · operations + c · bytes, fitted over past runs of one backend on one machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from math import isnan
from statistics import median
from typing import Any

import numpy as np

from tuisim import units
from tuisim.predict.leastsquares import condition, solve
from tuisim.provenance import Provenance
from tuisim.store.runs import Run

STEP, OPERATION, BYTE = "step", "operation", "byte"
TERMS = (STEP, OPERATION, BYTE)
MAX_CONDITION = 30.0
"""The condition number from which on columns are too nearly collinear to be told apart; see `condition`."""
MIN_SECONDS = 1e-12
"""A step in less was timed by a clock that jumped."""
_CHOICES = (TERMS, (STEP, OPERATION), (STEP, BYTE), (OPERATION, BYTE))
"""Sets of terms to fit, the largest and most informative first."""
_REMEDIES = {
    STEP: ("the overhead per step", "smaller networks and batches"),
    OPERATION: ("the time per operation", "networks of other sizes"),
    BYTE: ("the time per byte", "other batch sizes"),
}


@dataclass(frozen=True, slots=True)
class Coefficient:
    """The time that one step, operation or byte takes."""

    seconds: float | None
    """None if the runs cannot tell it from the others, which then include it; 0 if it is not distinguishable from 0."""
    error: float | None = None
    """The standard error in seconds; None if the value is 0 or there are no more runs than unknowns."""

    @property
    def per_second(self) -> float | None:
        """Steps, operations or bytes per second."""
        return 1 / self.seconds if self.seconds else None

    @property
    def is_significant(self) -> bool:
        """True if the value is larger than its own standard error."""
        return bool(self.seconds) and (self.error is None or self.error < (self.seconds or 0.0))


UNKNOWN = Coefficient(None)


@dataclass(frozen=True, slots=True)
class FittedRun:
    """One run compared with the fit. Seconds are of one step."""

    run: Run
    seconds: float
    """The measured seconds per step."""
    parts: tuple[float | None, float | None, float | None] = (None, None, None)
    """The fitted seconds of the step itself, its operations and its bytes; None if the coefficient is unknown."""

    @property
    def fit_seconds(self) -> float | None:
        """The fitted seconds of a step; None if no coefficient is known."""
        known = [part for part in self.parts if part is not None]
        return sum(known) if known else None

    @property
    def ratio(self) -> float | None:
        """Return measured over fitted seconds."""
        fitted = self.fit_seconds
        return self.seconds / fitted if fitted else None

    def share(self, part: int) -> float | None:
        """Return the share of the fitted time that a part has."""
        seconds, fitted = self.parts[part], self.fit_seconds
        return seconds / fitted if seconds is not None and fitted else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = asdict(self.run)
        kept = ("when", "layers", "batch", "dtype", "optimizer", "loss", "steps", "operations_per_step", "bytes_per_step")
        return {
            **{name: values[name] for name in kept}, "layers": list(self.run.layers), "seconds_per_step": self.seconds,
            "fit_seconds_per_step": self.fit_seconds, "ratio": self.ratio, "parts": dict(zip(TERMS, self.parts, strict=True)),
            "throttled": self.run.throttled,
        }  # fmt: skip


@dataclass(frozen=True)
class CostFit:
    """The coefficients of one backend on one machine, and the runs they were fitted to."""

    machine: str
    backend: str
    """With its threads: `numpy@1`."""
    step: Coefficient
    operation: Coefficient
    byte: Coefficient
    rows: tuple[FittedRun, ...]
    """In the order of the runs."""
    throttled: tuple[FittedRun, ...]
    """Throttled runs, which are listed and not fitted."""
    different: int
    """The number of different pairs of operations and bytes per step: repeating a run shows the noise alone."""

    @property
    def coefficients(self) -> tuple[Coefficient, Coefficient, Coefficient]:
        """The time of a step, of an operation and of a byte."""
        return self.step, self.operation, self.byte

    @property
    def listed(self) -> tuple[FittedRun, ...]:
        """All runs, oldest first."""
        return tuple(sorted((*self.rows, *self.throttled), key=lambda row: row.run.when))

    @property
    def unknowns(self) -> int:
        """The number of fitted coefficients."""
        return sum(one.seconds is not None for one in self.coefficients)

    @property
    def is_exact(self) -> bool:
        """True if there are no more different runs than coefficients above 0, so that the fit passes through all of them."""
        return self.different <= sum(bool(one.seconds) for one in self.coefficients)

    @property
    def median_error(self) -> float | None:
        """The median deviation of a run from the fit, as a share of the fit; None without a fit."""
        errors = [abs(ratio - 1) for row in self.rows if (ratio := row.ratio) is not None]
        return median(errors) if errors else None

    @property
    def worst(self) -> FittedRun | None:
        """The run with the largest ratio in either direction."""
        known = [(max(ratio, 1 / ratio), row) for row in self.rows if (ratio := row.ratio)]
        return max(known, key=lambda one: one[0])[1] if known else None

    def notes(self) -> list[str]:
        """Return what the coefficients mean, which of them are unknown, and how well the runs agree, in sentences."""
        if not self.rows:
            return ["throttled runs are not fitted: train at full speed"]
        if not self.unknowns:
            runs = units.counted(len(self.rows), "run")
            if self.different < 2:
                return [f"{runs} of one size cannot be fitted: train a network of another size, or with another batch"]
            return [f"{runs} that are too alike to be fitted: train networks and batches of very different sizes"]
        pairs = ((self.operation, "operations at", "/s"), (self.byte, "bytes at", "B/s"))
        rates = [f"{what} {units.si(one.per_second, unit)}" for one, what, unit in pairs if one.per_second]
        # At least two coefficients are known, and they include the third.
        few = "a network of a third size" if self.different < len(TERMS) else ""
        zero, unknown = [], []
        for name, one in zip(TERMS, self.coefficients, strict=True):
            what, remedy = _REMEDIES[name]
            if one.seconds is None:
                unknown.append(f"{what} cannot be separated from the other terms, which include it: train {few or remedy}")
            elif one.seconds == 0:
                zero.append(f"{what} is not distinguishable from 0")
        return [*[", ".join(rates)] * bool(rates), *zero, *self._break_even(), *unknown, self._quality()]

    def _break_even(self) -> list[str]:
        """Return how large a step must be before its work takes longer than its overhead."""
        if not (self.step.is_significant and self.operation.is_significant):
            return []
        assert self.step.seconds
        assert self.operation.seconds
        words = f"the overhead per step takes as long as {units.si(self.step.seconds / self.operation.seconds)} operations"
        if self.byte.is_significant and self.byte.seconds:
            words += f" or moving {units.si(self.step.seconds / self.byte.seconds, 'B')}"
        return [f"{words}; much smaller steps are dominated by overhead"]

    def _quality(self) -> str:
        words = f"{units.counted(len(self.rows), 'run')} of {units.counted(self.different, 'size')}"
        if self.is_exact:
            return f"{words} for {self.unknowns} unknowns: the fit is exact, so its error is not meaningful yet"
        words += f": median error {units.percent(self.median_error)}"
        if self.worst is None:
            return words
        run, ratio = self.worst.run, units.figure(self.worst.ratio)
        return f"{words}; worst is {units.layers_text(run.layers)} at batch {units.count(run.batch)}, at {ratio} × the fit"

    def to_dict(self) -> dict[str, Any]:
        """Return one of the fits in the document that `tuisim runs --json` prints."""
        return {
            "machine": self.machine,
            "backend": self.backend,
            "runs": len(self.rows),
            "different": self.different,
            "coefficients": {name: asdict(one) for name, one in zip(TERMS, self.coefficients, strict=True)},
            "operations_per_second": self.operation.per_second,
            "bytes_per_second": self.byte.per_second,
            "median_error": self.median_error,
            "rows": [row.to_dict() for row in self.listed],
            "words": self.notes(),
        }


def marks(path: str) -> dict[str, Provenance]:
    """Return the provenance of a fit's numbers, for a fit that stands at `path` in a document."""
    counted = ("runs", "different", "rows[].steps", "rows[].operations_per_step", "rows[].bytes_per_step")
    measured = ("coefficients", "operations_per_second", "bytes_per_second", "rows[].seconds_per_step")
    projected = ("median_error", "rows[].fit_seconds_per_step", "rows[].ratio", "rows[].parts")
    kinds = {Provenance.GIVEN: ("rows[].layers", "rows[].batch"), Provenance.COUNTED: counted, Provenance.MEASURED: measured,
             Provenance.PROJECTED: projected}  # fmt: skip
    return {f"{path}.{name}": mark for mark, names in kinds.items() for name in names}


def cost_fits(runs: Sequence[Run]) -> tuple[CostFit, ...]:
    """Return a fit for each machine and backend that has runs, in the order of their names."""
    ordered = sorted(runs, key=_subject)
    return tuple(fit(list(group)) for _, group in groupby(ordered, key=_subject))


def fit(runs: Sequence[Run]) -> CostFit:
    """Fit `runs` of one backend on one machine. Raises ValueError if there are none, or several backends or machines.

    Least squares on fitted over measured − 1, so that a run of microseconds weighs as much as one of seconds, with no
    coefficient below 0. Coefficients that the runs cannot tell apart stay unknown.
    """
    (machine, backend), *more = {_subject(run) for run in runs} or [("", "")]
    if more or not runs:
        raise ValueError("runs of one backend on one machine, at least one")
    timed = [run for run in runs if run.seconds_per_step >= MIN_SECONDS and not run.throttled]
    throttled = tuple(FittedRun(run, run.seconds_per_step) for run in runs if run.throttled)
    different = len({(run.operations_per_step, run.bytes_per_step) for run in timed})
    found = _coefficients(timed, different)
    rows = (FittedRun(run, run.seconds_per_step, _parts(found, run.operations_per_step, run.bytes_per_step)) for run in timed)
    return CostFit(machine, backend, *found, tuple(rows), throttled, different)


def _subject(run: Run) -> tuple[str, str]:
    return run.machine, run.name


def _coefficients(runs: Sequence[Run], different: int) -> tuple[Coefficient, Coefficient, Coefficient]:
    counts = [(1.0, float(run.operations_per_step), float(run.bytes_per_step)) for run in runs]
    seconds = np.array([[run.seconds_per_step] for run in runs], np.float64)
    for chosen in _CHOICES if runs else ():
        matrix = np.array(counts)[:, [TERMS.index(name) for name in chosen]] / seconds
        if len(chosen) <= different and condition(matrix) < MAX_CONDITION:
            values, errors = solve(matrix, np.ones(len(runs)))
            found = {
                name: Coefficient(float(value), None if isnan(error) else float(error))
                for name, value, error in zip(chosen, values, errors, strict=True)
            }
            return found.get(STEP, UNKNOWN), found.get(OPERATION, UNKNOWN), found.get(BYTE, UNKNOWN)
    return UNKNOWN, UNKNOWN, UNKNOWN


def _parts(
    coefficients: tuple[Coefficient, Coefficient, Coefficient], operations: int, bytes_: int
) -> tuple[float | None, float | None, float | None]:
    step, operation, byte = (one.seconds for one in coefficients)
    return step, None if operation is None else operation * operations, None if byte is None else byte * bytes_
