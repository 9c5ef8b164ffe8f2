"""The benchmark: the same step by our backends, by the obvious code, by other libraries and by bare products, in turn.

Machines are noisy, so a speed is a ratio of two things measured in the same round, and the figure is the median of the
rounds. That all subjects computed the same is checked, not assumed. Who cannot do a case in time is a row that says so.
"""

from __future__ import annotations

import os
import platform
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
from tuisim.features.compare.bench.cases import Case, Make, Ours, Plain, Products, Subject, case, case_name, flat
from tuisim.measure import processor
from tuisim.provenance import Provenance

ROUNDS, LEAST_ROUNDS = 61, 5
ROUND_SECONDS = 0.02
"""Each subject works about so long in each round, or one step where that takes longer."""
CASE_SECONDS = 8.0
"""For the rounds of one case, beyond the least number of them."""
LONGEST_STEP = 4.0
"""Seconds; who would take longer for a step is left out of a case, with what it would take."""
FEW_STEPS = 5
"""After so many, parameters are compared."""
TOLERANCE = 1e-2
"""Of how far the parameters have moved, in float32: rounding stays a tenth of it, a wrong gradient is of the size of 1."""
REFERENCE = "tuisim numpy"
"""Whose time all ratios are over."""

RATE = 0.01
"""Small enough that thousands of steps on random answers do not diverge, large enough that a wrong gradient shows."""

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
    """One subject on one case; without figures, the reason."""

    case: str
    subject: str
    kind: str
    """ours, plain, limit or peer."""
    microseconds_per_step: float | None = None
    """Median of the rounds."""
    ratio: float | None = None
    """This subject's time over that of tuisim's NumPy step, the median of the rounds: above 1 it is slower.

    None where that step itself was left out.
    """
    spread: float | None = None
    """Half the 10-90 % range of that ratio over the rounds."""
    rounds: int = 0
    relative_parameter_difference: float | None = None
    """Largest difference from tuisim's parameters after the same steps, over how far they moved; none for products."""
    reason: str = ""
    device: str = ""
    """What computed it, where it is one of our backends."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All rows, and what they were measured on."""

    rows: tuple[BenchRow, ...]
    blas: dict[str, Any]
    environment: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "blas": self.blas,
            "environment": self.environment,
            "marks": {"rows[]": Provenance.MEASURED, "rows[].rounds": Provenance.COUNTED, "blas.threads": Provenance.GIVEN},
        }


def bench(threads: int = 1, tell: Callable[[str], None] = lambda line: None) -> Benchmark:
    """Run every case on `threads` BLAS threads; `tell` hears which one is at work."""
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
        {"processor": processor.name(), "python": platform.python_version(), "numpy": np.__version__, "variables": variables},
    )


def _field() -> dict[str, tuple[str, Make]]:
    """Everyone there is, by name: what kind of subject, and how it is made. The reference comes first."""
    ours = {f"tuisim {name}": ("ours", partial(Ours, backend=name)) for name in ("numpy", *names()) if name != "auto"}
    return {
        **ours,
        "plain numpy": ("plain", Plain),
        **{name: ("peer", make) for name, make in peers.installed().items()},
        "bare products": ("limit", Products),
    }


def _rows(one: Case) -> list[BenchRow]:
    ledger = count(one.config)
    subjects: dict[str, Subject] = {}
    differences: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    field = _field()
    for name, (kind, make) in field.items():
        try:
            _in_time(name.removeprefix("tuisim "), kind, ledger)
            subject = make(one)
            subject.steps(FEW_STEPS)
            differences[name] = _difference(subject, subjects.get(REFERENCE, subject), one)
            subjects[name] = subject
        except Exception as error:  # whoever cannot do the case is a row with its reason
            reasons[name] = printable(in_words(error), 300)
    times = _rounds(subjects)
    return [
        replace(_row(one.name, name, kind, times, differences[name]), device=getattr(subjects[name], "device", ""))
        if name in times
        else BenchRow(one.name, name, kind, reason=reasons[name])
        for name, (kind, _) in field.items()
    ]


def _in_time(backend: str, kind: str, ledger: Ledger) -> None:
    """Raises RunError where one of our backends would take too long for a step."""
    likely = least_seconds(backend, ledger) if kind == "ours" else 0.0
    if likely > LONGEST_STEP:
        raise RunError(f"left out: a step would take {units.duration(likely)} or more")


def _difference(subject: Subject, reference: Subject, one: Case) -> float | None:
    """Over the largest movement of a parameter. Raises RunError where it is more than rounding explains."""
    theirs, ours = subject.read(), reference.read()
    if theirs is None or ours is None:
        return None
    found = float(np.abs(theirs - ours).max() / np.abs(ours - flat(one.parameters)).max())
    if not found < TOLERANCE:
        raise RunError(f"its parameters differ by {found:.1e} of their way after {FEW_STEPS} steps, so nothing is compared")
    return found


def _rounds(subjects: Mapping[str, Subject]) -> dict[str, list[float]]:
    """Seconds per step of each subject in each round, in turn, the order reversed every other round."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    steps: dict[str, int] = {}
    for name, subject in subjects.items():
        steps[name] = _as_many_as_fit(subject)
    order, begun = list(subjects), perf_counter()
    for number in range(ROUNDS):
        if number >= LEAST_ROUNDS and perf_counter() - begun > CASE_SECONDS:
            break
        for name in order if number % 2 else reversed(order):
            start = perf_counter()
            subjects[name].steps(steps[name])
            times[name].append((perf_counter() - start) / steps[name])
    return times


def _as_many_as_fit(subject: Subject) -> int:
    """Steps for about one round. What is compiled for so many at a time is compiled before they are timed."""
    steps, seconds = 1, 0.0
    while True:
        subject.steps(steps)
        start = perf_counter()
        subject.steps(steps)
        seconds = perf_counter() - start
        if seconds >= ROUND_SECONDS / 2:
            return steps
        steps *= 2 if seconds > ROUND_SECONDS / 8 else 8


def _row(case_: str, name: str, kind: str, times: Mapping[str, list[float]], difference: float | None) -> BenchRow:
    own, reference = times[name], times.get(REFERENCE)
    if reference is None:
        return BenchRow(case_, name, kind, median(own) * 1e6, rounds=len(own), relative_parameter_difference=difference)
    ratios = [a / b for a, b in zip(own, reference, strict=True)]
    return BenchRow(case_, name, kind, median(own) * 1e6, median(ratios), spread(ratios), len(own), difference)
