"""How long the very step of a configuration takes on each backend: rounds in turn, the median and its spread.

The rate is set to zero, so that thousands of steps on the same rows cannot diverge; the work is the same. It knows nothing of
what the figures are held against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from statistics import median

from tuisim import units
from tuisim.accounting import Ledger, count
from tuisim.backends import get_backend, names, probe
from tuisim.config import RunConfig
from tuisim.engine.benchmark_case import MIN_ROUNDS, ROUNDS, BenchmarkCase
from tuisim.errors import in_words, printable
from tuisim.measure.peaks import peaks_of

LONGEST_STEP = 1.0
"""Seconds; a step that takes longer is left out, and why is said."""
QUICK = 1e9
"""Operations that any backend but plain Python does within the longest step."""

Wanted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class StepTime:
    """One backend's seconds per step, gathering its rows included; none where it was not measured."""

    backend: str
    device: str = ""
    seconds: float | None = None
    spread: float | None = None
    """Half the 10-90 % range over the rounds."""
    reason: str = ""
    """Why there is no time."""
    likely: float | None = None
    """Seconds a step would take at least, projected; only where it was left out for that."""


def step_times(config: RunConfig, wanted: Wanted = lambda: True) -> tuple[StepTime, ...]:
    """Measure a step of `config` on every backend at hand; less of them once nobody wants it any longer."""
    config = config.of_known_length().resolved()
    assert config.threads is not None
    ledger, found, subjects = count(config), dict[str, StepTime](), dict[str, BenchmarkCase]()
    with ExitStack() as stack:
        for name in names():
            if (there := probe(name)).absent:  # what would bring it is `tuisim doctor`'s to say
                found[name] = StepTime(name, reason=there.reason)
                continue
            try:
                backend = get_backend(name)
                stack.enter_context(backend.threads(config.threads))
                found[name] = StepTime(name, backend.device())
                likely = least_seconds(name, ledger)
                if likely > LONGEST_STEP:
                    reason = f"left out: a step would take {units.duration(likely)} or more"
                    found[name] = replace(found[name], reason=reason, likely=likely)
                else:
                    subjects[name] = BenchmarkCase(replace(config, backend=name), ledger.batch)
                    found[name] = replace(found[name], device=subjects[name].device)
            except Exception as error:  # one that fails has its reason; the others are timed
                found[name] = StepTime(name, reason=_words(error))
        rounds, failed = _rounds(subjects, wanted)
    for name, failure in failed.items():
        found[name] = StepTime(name, reason=_words(failure))
    for name, seconds in rounds.items():
        found[name] = replace(found[name], seconds=median(seconds), spread=spread(seconds))
    return tuple(found.values())


def _words(error: Exception) -> str:
    return printable(in_words(error), 300)


def spread(values: Sequence[float]) -> float:
    """Half the range that holds the middle 80 % of them."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return (ordered[round(0.9 * last)] - ordered[round(0.1 * last)]) / 2


def _rounds(subjects: dict[str, BenchmarkCase], wanted: Wanted) -> tuple[dict[str, list[float]], dict[str, Exception]]:
    """Seconds per step of each in each of its rounds, in turn, so that a busy moment is shared by all; and who failed in one."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    failed: dict[str, Exception] = {}
    for number in range(ROUNDS):
        for name, subject in subjects.items():
            if number < subject.rounds and name not in failed and wanted():
                try:
                    times[name].append(subject.timed())
                except Exception as error:  # as above
                    failed[name] = error
    return {name: seconds for name, seconds in times.items() if seconds and name not in failed}, failed


def least_seconds(name: str, ledger: Ledger) -> float:
    """What a step takes at least: plain Python's time per operation, or the measured peak of the matrix products."""
    operations, config = ledger.step_total.total, ledger.config
    if name == "scalar":
        return operations * _scalar_operation()
    assert config.threads is not None
    if operations <= QUICK:
        return 0.0
    return operations / peaks_of(get_backend(name), config.dtype, config.threads).flops_per_second


@cache
def _scalar_operation() -> float:
    """Seconds per operation of the scalar backend, on a network small enough to find out at once."""
    config = RunConfig(layers=(8, 8, 8), loss="mse", batch_size=1, backend="scalar").resolved()
    with get_backend("scalar").threads(1):
        subject = BenchmarkCase(config, 1)
        return min(subject.timed() for _ in range(MIN_ROUNDS)) / count(config).step_total.total
