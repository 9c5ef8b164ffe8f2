"""Times of a configuration's step on each backend: rounds in turn, the median and its spread.

The learning rate is zero, so that thousands of steps on the same rows cannot diverge; the work is the same.
"""

from __future__ import annotations

import logging
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

log = logging.getLogger(__name__)

MAX_STEP_SECONDS = 1.0
"""A step that takes longer is left out, with the reason."""
QUICK = 1e9
"""Operations that any backend except plain Python executes within MAX_STEP_SECONDS."""

Wanted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class StepTime:
    """The seconds per step of one backend, batch loading included; None if it was not measured."""

    backend: str
    device: str = ""
    seconds: float | None = None
    spread: float | None = None
    """Half the 10–90 % range over the rounds."""
    reason: str = ""
    """The reason why there is no time."""
    likely: float | None = None
    """The minimum seconds of a step, projected, if it was left out for that."""


def step_times(config: RunConfig, wanted: Wanted = lambda: True) -> tuple[StepTime, ...]:
    """Time a step of `config` on every backend that works here; stop early once `wanted` returns False."""
    config = config.of_known_length().resolved()
    assert config.threads is not None
    ledger, found, cases = count(config), dict[str, StepTime](), dict[str, BenchmarkCase]()
    with ExitStack() as stack:
        for name in names():
            if (there := probe(name)).absent:  # `tuisim doctor` says how to install it
                found[name] = StepTime(name, reason=there.reason)
                continue
            try:
                backend = get_backend(name)
                stack.enter_context(backend.threads(config.threads))
                found[name] = StepTime(name, backend.device())
                likely = least_seconds(name, ledger)
                if likely > MAX_STEP_SECONDS:
                    reason = f"left out: a step would take {units.duration(likely)} or more"
                    found[name] = replace(found[name], reason=reason, likely=likely)
                else:
                    cases[name] = BenchmarkCase(replace(config, backend=name), ledger.batch)
                    found[name] = replace(found[name], device=cases[name].device)
            except Exception as error:  # a backend that fails is listed with its reason; the others are timed
                found[name] = StepTime(name, reason=_words(name, error))
        rounds, failed = _rounds(cases, wanted)
    for name, failure in failed.items():
        found[name] = StepTime(name, reason=_words(name, failure))
    for name, seconds in rounds.items():
        found[name] = replace(found[name], seconds=median(seconds), spread=spread(seconds))
    return tuple(found.values())


def _words(name: str, error: Exception) -> str:
    log.debug("%s was not timed", name, exc_info=error)
    return printable(in_words(error), 300)


def spread(values: Sequence[float]) -> float:
    """Return half the range of the middle 80 % of `values`."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return (ordered[round(0.9 * last)] - ordered[round(0.1 * last)]) / 2


def _rounds(cases: dict[str, BenchmarkCase], wanted: Wanted) -> tuple[dict[str, list[float]], dict[str, Exception]]:
    """Return the seconds per step of each case in each round, in turn, so that all share a busy moment; and the failures."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    failed: dict[str, Exception] = {}
    for number in range(ROUNDS):
        for name, case in cases.items():
            if number < case.rounds and name not in failed and wanted():
                try:
                    times[name].append(case.timed())
                except Exception as error:  # as above
                    failed[name] = error
    return {name: seconds for name, seconds in times.items() if seconds and name not in failed}, failed


def least_seconds(name: str, ledger: Ledger) -> float:
    """Return the minimum seconds of a step: by plain Python's time per operation, or by the measured peak of matrix products."""
    operations, config = ledger.step_total.total, ledger.config
    if name == "scalar":
        return operations * _scalar_operation()
    assert config.threads is not None
    if operations <= QUICK:
        return 0.0
    return operations / peaks_of(get_backend(name), config.dtype, config.threads).flops_per_second


@cache
def _scalar_operation() -> float:
    """Return the seconds per operation of the scalar backend, measured on a small network."""
    config = RunConfig(layers=(8, 8, 8), loss="mse", batch_size=1, backend="scalar").resolved()
    with get_backend("scalar").threads(1):
        case = BenchmarkCase(config, 1)
        return min(case.timed() for _ in range(MIN_ROUNDS)) / count(config).step_total.total
