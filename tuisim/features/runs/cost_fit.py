"""The cost law: seconds per step = a + b · operations + c · bytes, fitted over past runs of one backend on one machine.

It knows what the runs counted and took, not how; how a step is really priced is the model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from math import isnan
from statistics import median
from typing import Any

import numpy as np

from tuisim.predict.leastsquares import condition, solve
from tuisim.provenance import Provenance
from tuisim.store.runs import Run

STEP, OPERATION, BYTE = "step", "operation", "byte"
TERMS = (STEP, OPERATION, BYTE)
SEVERE = 30.0
"""Columns that are made of each other so nearly are not told apart: see `condition`."""
LEAST_SECONDS = 1e-12
"""A step in less was timed by a clock that jumped."""
_CHOICES = (TERMS, (STEP, OPERATION), (STEP, BYTE), (OPERATION, BYTE))
"""What may be told apart, the most and most telling first."""


@dataclass(frozen=True, slots=True)
class Coefficient:
    """What one of something takes."""

    seconds: float | None
    """None where the runs cannot tell it from the others, which then have its share; 0 where nothing of it shows."""
    error: float | None = None
    """Its standard error in seconds; none where it is 0 or there are no more runs than unknowns."""

    @property
    def per_second(self) -> float | None:
        return 1 / self.seconds if self.seconds else None


UNKNOWN = Coefficient(None)


@dataclass(frozen=True, slots=True)
class Residual:
    """One run held against the law. Seconds are of one step."""

    run: Run
    seconds: float
    """As measured."""
    parts: tuple[float | None, float | None, float | None] = (None, None, None)
    """What the step itself, its operations and its bytes take by the law; none where their coefficient is."""

    @property
    def law_seconds(self) -> float | None:
        known = [part for part in self.parts if part is not None]
        return sum(known) if known else None

    @property
    def ratio(self) -> float | None:
        """Measured over law."""
        law = self.law_seconds
        return self.seconds / law if law else None

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self.run)
        kept = ("when", "layers", "batch", "dtype", "optimizer", "loss", "steps", "operations_per_step", "bytes_per_step")
        return {
            **{name: values[name] for name in kept},
            "layers": list(self.run.layers),
            "seconds_per_step": self.seconds,
            "law_seconds_per_step": self.law_seconds,
            "ratio": self.ratio,
            "parts": dict(zip(TERMS, self.parts, strict=True)),
        }


@dataclass(frozen=True)
class Law:
    """What was fitted, and every run it was fitted to."""

    machine: str
    backend: str
    """By its threads: `numpy@1`."""
    step: Coefficient
    operation: Coefficient
    byte: Coefficient
    rows: tuple[Residual, ...]
    """In the order of the runs."""
    different: int
    """Pairs of operations and bytes per step among them: a run made again tells the noise, not the law."""

    @property
    def coefficients(self) -> tuple[Coefficient, Coefficient, Coefficient]:
        return self.step, self.operation, self.byte

    @property
    def unknowns(self) -> int:
        """How many were fitted."""
        return sum(one.seconds is not None for one in self.coefficients)

    @property
    def errors(self) -> tuple[float, ...]:
        """How far each run was from the law, as a share of the law; empty where there is none."""
        return tuple(abs(ratio - 1) for row in self.rows if (ratio := row.ratio) is not None)

    @property
    def median_error(self) -> float | None:
        return median(self.errors) if self.errors else None

    @property
    def worst(self) -> Residual | None:
        """The run that is furthest from it, by its ratio either way."""
        known = [(max(ratio, 1 / ratio), row) for row in self.rows if (ratio := row.ratio)]
        return max(known, key=lambda one: one[0])[1] if known else None

    def seconds_per_step(self, operations: int, bytes_: int) -> float | None:
        """What the law says of a step, in seconds: projected. None where there is no law."""
        parts = _parts(self.coefficients, operations, bytes_)
        return None if not self.unknowns else sum(part for part in parts if part is not None)

    def to_dict(self) -> dict[str, Any]:
        """One of the laws in the document `tuisim law --json` prints."""
        return {
            "machine": self.machine,
            "backend": self.backend,
            "runs": len(self.rows),
            "different": self.different,
            "coefficients": {name: asdict(one) for name, one in zip(TERMS, self.coefficients, strict=True)},
            "operations_per_second": self.operation.per_second,
            "bytes_per_second": self.byte.per_second,
            "median_error": self.median_error,
            "rows": [row.to_dict() for row in self.rows],
        }


def marks(path: str) -> dict[str, Provenance]:
    """The kinds of a law's numbers, where it stands at `path` in a document."""
    counted = ("runs", "different", "rows[].steps", "rows[].operations_per_step", "rows[].bytes_per_step")
    measured = ("coefficients", "operations_per_second", "bytes_per_second", "rows[].seconds_per_step")
    projected = ("median_error", "rows[].law_seconds_per_step", "rows[].ratio", "rows[].parts")
    kinds = {Provenance.GIVEN: ("rows[].layers", "rows[].batch"), Provenance.COUNTED: counted, Provenance.MEASURED: measured,
             Provenance.PROJECTED: projected}  # fmt: skip
    return {f"{path}.{name}": mark for mark, names in kinds.items() for name in names}


def laws(runs: Sequence[Run]) -> tuple[Law, ...]:
    """A law for each machine and backend there are runs of, in the order of their names."""
    ordered = sorted(runs, key=_subject)
    return tuple(fit(list(group)) for _, group in groupby(ordered, key=_subject))


def fit(runs: Sequence[Run]) -> Law:
    """The law of `runs`, which are of one backend on one machine. Raises ValueError where there are none.

    Least squares on law over measured − 1, so that a run of microseconds counts as much as one of seconds, none of the
    coefficients below 0. What the runs cannot tell apart stays unknown.
    """
    (machine, backend), *more = {_subject(run) for run in runs} or [("", "")]
    if more or not runs:
        raise ValueError("runs of one backend on one machine, at least one")
    timed = [run for run in runs if run.seconds_per_step >= LEAST_SECONDS]
    different = len({(run.operations_per_step, run.bytes_per_step) for run in timed})
    coefficients = _coefficients(timed, different)
    rows = (
        Residual(run, run.seconds_per_step, _parts(coefficients, run.operations_per_step, run.bytes_per_step)) for run in timed
    )
    return Law(machine, backend, *coefficients, tuple(rows), different)


def _subject(run: Run) -> tuple[str, str]:
    return run.machine, run.name


def _coefficients(runs: Sequence[Run], different: int) -> tuple[Coefficient, Coefficient, Coefficient]:
    counts = [(1.0, float(run.operations_per_step), float(run.bytes_per_step)) for run in runs]
    seconds = np.array([[run.seconds_per_step] for run in runs], np.float64)
    for chosen in _CHOICES if runs else ():
        matrix = np.array(counts)[:, [TERMS.index(name) for name in chosen]] / seconds
        if len(chosen) <= different and condition(matrix) < SEVERE:
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
