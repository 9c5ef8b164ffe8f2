"""The benchmark: the same step by tuisim's backends, naive NumPy code, other libraries and matrix products alone, in turn.

A ratio is the median over the rounds of two times in the same round, so that other programs slow both alike. All implementations
must compute the same parameters. One that fails, or that takes too long, is a row with its reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tuisim import units
from tuisim.accounting import Ledger, count
from tuisim.backends import get_backend, names, probe
from tuisim.backends.numpy.blas import blas
from tuisim.config import RunConfig
from tuisim.engine.step_time import least_seconds, spread
from tuisim.errors import MemoryNeeded, RunError, in_words, printable
from tuisim.features.compare.bench import peers
from tuisim.features.compare.bench.cases import (
    Case,
    Implementation,
    Make,
    MatrixProducts,
    NaiveStep,
    TuisimStep,
    case,
    case_name,
    flat,
)
from tuisim.measure.processor import environment
from tuisim.provenance import Provenance

MAX_ROUNDS, MIN_ROUNDS = 61, 5
ROUND_SECONDS = 0.02
"""Time of an implementation in each round; a single step if that takes longer."""
CASE_SECONDS = 8.0
"""Time for the rounds of one case, beyond MIN_ROUNDS."""
MAX_STEP_SECONDS = 4.0
"""A backend that would take longer for a step is left out of a case."""
FIRST_STEPS = 5
"""Steps after which parameters are compared."""
TOLERANCE = 1e-2
"""Relative to the largest change of a parameter, in float32: rounding is a tenth of it, a wrong gradient is near 1."""
REFERENCE = "tuisim numpy"
"""All ratios are relative to its time."""

RATE = 0.01
"""Small enough that thousands of steps on random targets do not diverge, large enough to show a wrong gradient."""

_QUESTION = RunConfig(layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1)
CASES = (
    _QUESTION,
    replace(_QUESTION, batch_size=32),
    RunConfig(layers=(64, 32, 10), batch_size=32),
    RunConfig(layers=(784, 128, 10), batch_size=32),
    RunConfig(layers=(784, 128, 10), batch_size=128),
    RunConfig(layers=(784, 512, 512, 10), batch_size=128),
    RunConfig(layers=(784, 1024, 1024, 10), batch_size=256),
    RunConfig(layers=(784, 1024, 1024, 1024, 10), batch_size=256),
    RunConfig(layers=(784, 4096, 4096, 10), batch_size=512),
)


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One implementation on one case; without figures, the reason."""

    case: str
    subject: str
    kind: str
    """ours, plain, limit or peer."""
    microseconds_per_step: float | None = None
    """Median of the rounds."""
    ratio: float | None = None
    """Its time over that of tuisim's NumPy step, the median of the rounds: above 1 it is slower. None without that step."""
    spread: float | None = None
    """Half the 10-90 % range of that ratio over the rounds."""
    rounds: int = 0
    relative_parameter_difference: float | None = None
    """The largest difference from tuisim's parameters after the same steps, relative to their change; None for products."""
    reason: str = ""
    device: str = ""
    """The device, for tuisim's backends."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All rows and the environment."""

    rows: tuple[BenchRow, ...]
    blas: dict[str, Any]
    environment: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        marks = {"rows[]": Provenance.MEASURED, "rows[].rounds": Provenance.COUNTED, "blas.threads": Provenance.GIVEN}
        return asdict(self) | {"marks": marks}


def bench(threads: int = 1, tell: Callable[[str], object] = lambda line: None) -> Benchmark:
    """Run every case on `threads` BLAS threads; `tell` is called with the name of each."""
    rows: list[BenchRow] = []
    with ExitStack() as stack:
        for name in names():
            if probe(name).available:
                stack.enter_context(get_backend(name).threads(threads))
        for config in CASES:
            name = case_name(config)
            tell(name)
            try:
                rows += _rows(case(replace(config, threads=threads, learning_rate=RATE)))
            except MemoryNeeded as error:  # the cases that fit are measured
                rows += [BenchRow(name, subject, kind, reason=str(error)) for subject, (kind, _) in _field().items()]
    variables = {k: v for k, v in os.environ.items() if k.startswith(("OPENBLAS", "OMP_", "MKL_"))}
    return Benchmark(
        tuple(rows),
        {"library": blas().library, "kernel": blas().kernel, "threads": threads, "pinned_by": blas().pinned_by},
        environment() | {"variables": variables},
    )


def _field() -> dict[str, tuple[str, Make]]:
    """Return kind and constructor of all implementations by name, the reference first."""
    ours = {f"tuisim {name}": ("ours", partial(TuisimStep, backend=name)) for name in ("numpy", *names()) if name != "auto"}
    return {
        **ours,
        "plain numpy": ("plain", NaiveStep),
        **{name: ("peer", make) for name, make in peers.installed().items()},
        "matrix products": ("limit", MatrixProducts),
    }


def _rows(one: Case) -> list[BenchRow]:
    ledger = count(one.config)
    implementations: dict[str, Implementation] = {}
    differences: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    field = _field()
    for name, (kind, make) in field.items():
        try:
            _in_time(name.removeprefix("tuisim "), kind, ledger)
            made = make(one)
            made.steps(FIRST_STEPS)
            differences[name] = _difference(made, implementations.get(REFERENCE, made), one)
            implementations[name] = made
        except Exception as error:  # one that fails is a row with its reason
            reasons[name] = printable(in_words(error), 300)
    times = _rounds(implementations)
    rows: list[BenchRow] = []
    for name, (kind, _) in field.items():
        row = BenchRow(one.name, name, kind, reason=reasons.get(name, ""))
        if name in times:
            row = replace(
                row, microseconds_per_step=median(times[name]) * 1e6, rounds=len(times[name]),
                relative_parameter_difference=differences[name], device=getattr(implementations[name], "device", ""),
            )  # fmt: skip
            if REFERENCE in times:
                ratios = [a / b for a, b in zip(times[name], times[REFERENCE], strict=True)]
                row = replace(row, ratio=median(ratios), spread=spread(ratios))
        rows.append(row)
    return rows


def _in_time(backend: str, kind: str, ledger: Ledger) -> None:
    """Raise RunError if one of tuisim's backends would take too long for a step."""
    least = least_seconds(backend, ledger) if kind == "ours" else 0.0
    if least > MAX_STEP_SECONDS:
        raise RunError(f"left out: a step would take {units.duration(least)} or more")


def _difference(made: Implementation, reference: Implementation, one: Case) -> float | None:
    """Return the difference relative to the largest change of a parameter. Raises RunError if rounding does not explain it."""
    theirs, ours = made.read(), reference.read()
    if theirs is None or ours is None:
        return None
    found = float(np.abs(theirs - ours).max() / np.abs(ours - flat(one.parameters)).max())
    if not found < TOLERANCE:
        raise RunError(f"its parameters differ by {found:.1e} of their change after {FIRST_STEPS} steps, so it is not timed")
    return found


def _rounds(implementations: Mapping[str, Implementation]) -> dict[str, list[float]]:
    """Return the seconds per step of each in each round, in turn, with the order reversed every other round."""
    times: dict[str, list[float]] = {name: [] for name in implementations}
    steps = {name: _steps_per_round(made) for name, made in implementations.items()}
    order, begun = list(implementations), perf_counter()
    for number in range(MAX_ROUNDS):
        if number >= MIN_ROUNDS and perf_counter() - begun > CASE_SECONDS:
            break
        for name in order if number % 2 else reversed(order):
            start = perf_counter()
            implementations[name].steps(steps[name])
            times[name].append((perf_counter() - start) / steps[name])
    return times


def _steps_per_round(made: Implementation) -> int:
    """Return the number of steps of one round. What is compiled for that number is compiled before it is timed."""
    steps = 1
    while True:
        made.steps(steps)
        start = perf_counter()
        made.steps(steps)
        seconds = perf_counter() - start
        if seconds >= ROUND_SECONDS / 2:
            return steps
        steps *= 2 if seconds > ROUND_SECONDS / 8 else 8
