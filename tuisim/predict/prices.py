"""The prices of a step on one backend: every kind of operation, and how the whole is more or less than their sum.

Operations that are timed one by one are a little slower, or quicker, than in a step that is not interrupted; whole steps
were measured as well and say by how much, before anything is fitted. It knows nothing of files, or of how the samples were
taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tuisim.measure.machine_speed import QUIET, Slowdown, SpeedSample
from tuisim.predict.leastsquares import Floats, proportional
from tuisim.predict.price import NO_FLOORS, Floors, Measured, Price, fitted, short
from tuisim.predict.sample import Sample
from tuisim.predict.work import Work, shares, works
from tuisim.program import Op, StepProgram

FOLDS = 7
"""Parts of the samples; each is predicted by prices fitted to the others, and that is how the error is known.

A number that no cycle of the design divides, so that no optimizer or function is left out as a whole.
"""
MOST_ERROR = math.log(100)
"""Natural logarithm: a price that is further off is none."""
WILD = 3.0
"""Times what nine of ten errors keep within: more is told of no network."""
TWENTIETHS = 21
AS_CALLS = {"scalar": 1.0, "numba": 0.5}
"""How far a backend's work slows as calls do, and not as arithmetic does: plain Python's wholly, compiled loops' half-way.

Measured where another program had half of the core: calls took 1.87 times as long, products and passes over an array 1.6 times,
a step of plain Python 2.2 times, a compiled one 1.8 and one of NumPy's 1.7.
"""


def as_felt(slowed: Slowdown, backend: str) -> Slowdown:
    """What a machine so slowed is for this backend."""
    share = AS_CALLS.get(backend, 0.0)
    return Slowdown(slowed.calls, slowed.calls**share * slowed.work ** (1 - share))


@dataclass(frozen=True)
class StepPrice:
    """Likely seconds of one step."""

    operations: tuple[tuple[Op, float], ...]
    """(operation, seconds), in the program's order."""
    each_call: tuple[float, ...]
    """Of each operation's seconds, what is paid for calling it however small it is."""
    overhead: float
    """Outside the operations."""

    @property
    def seconds(self) -> float:
        return sum(spent for _, spent in self.operations) + self.overhead

    @property
    def calls(self) -> float:
        """Of the operations' seconds, those paid for calling them."""
        return math.fsum(self.each_call)

    @property
    def call_shares(self) -> list[float]:
        """Of each operation, the part that is calling it."""
        return [call / seconds if seconds else 1.0 for (_, seconds), call in zip(self.operations, self.each_call, strict=True)]

    @property
    def call_share(self) -> float:
        """Of the whole step, the part that is calling and what lies between."""
        return (self.calls + self.overhead) / self.seconds if self.seconds else 1.0

    def slowed(self, by: Slowdown) -> StepPrice:
        """The same on a machine that is so slowed."""
        return StepPrice(
            tuple(
                (op, call * by.calls + (seconds - call) * by.work)
                for (op, seconds), call in zip(self.operations, self.each_call, strict=True)
            ),
            tuple(call * by.calls for call in self.each_call),
            self.overhead * by.calls,
        )


@dataclass(frozen=True)
class Prices:
    """What was fitted, and how far it was off where it had not been measured."""

    kinds: dict[str, Price]
    step: float
    """Seconds per step outside the operations."""
    backend: str
    """Whose they are: it may have several ways to compute a product."""
    errors: tuple[float, ...] = ()
    """Natural logarithms of predicted over measured, of steps that the prices had not seen: their twentieths, in order."""

    def of(self, program: StepProgram) -> StepPrice:
        """Of one step of `program`. An activation that was not measured costs the mean of the others."""
        seconds, calls = [0.0] * len(program.ops), [0.0] * len(program.ops)
        known: dict[Work, tuple[float, float]] = {}
        for work, places in works(program, self.backend):
            if work not in known:
                known[work] = self._of(work)
            call, whole = known[work]
            for place, share in zip(places, shares(program, places), strict=True):
                seconds[place], calls[place] = whole * share, call * share
        return StepPrice(tuple(zip(program.ops, seconds, strict=True)), tuple(calls), self.step)

    @cached_property
    def largest(self) -> int:
        """Multiplications of the largest product that was measured; 0 where none was."""
        points = (point for price in self.kinds.values() for point in price.points)
        return max((point.batch * point.inputs * point.outputs for point in points), default=0)

    def of_work(self, work: Work) -> float:
        """Likely seconds of one piece of work in a step."""
        return self._of(work)[1]

    def call_of(self, work: Work) -> float:
        """Of these, what calling it costs."""
        return self._of(work)[0]

    def _of(self, work: Work) -> tuple[float, float]:
        """What calling it costs, and all of it."""
        prices = self._alike(work)
        if not prices:
            return 0.0, 0.0
        whole = math.fsum(price.seconds(work) for price in prices) / len(prices)
        return math.fsum(price.call(work) for price in prices) / len(prices), whole

    def _alike(self, work: Work) -> list[Price]:
        """The price of its kind, or else those of all its functions or ways; none where another's call does it on the way."""
        if (price := self.kinds.get(work.key)) is not None:
            return [price]
        return [price for name, price in self.kinds.items() if name.split(" ")[0] == work.kind.value]

    def to_dict(self) -> dict[str, Any]:
        return {
            "step": short(self.step),
            "errors": [short(error) for error in self.errors],
            "kinds": {name: price.to_dict() for name, price in self.kinds.items()},
        }


def at_best(samples: Sequence[Sample], best: SpeedSample, backend: str) -> list[Sample]:
    """Samples as they would have been at the machine's best; those that were, as they are: a beat may be read a little long.

    Prices fitted to what was measured say which part of it was calls.
    """
    rough = _fit(*_in_a_step(samples), backend, NO_FLOORS)
    found: list[Sample] = []
    for sample in samples:
        if sample.beat.over(best).most <= QUIET:
            found.append(sample)
        else:
            price = rough.of(sample.program)
            slowed = as_felt(sample.beat.over(best), backend)
            found.append(sample.undisturbed(slowed, price.call_shares, price.call_share))
    return found


def fit(samples: Sequence[Sample], backend: str, floors: Floors = NO_FLOORS) -> Prices:
    """Prices that fit `samples` of `backend` best, none of them below `floors`, with the errors they have on samples they have
    not seen. The cheapest operation of all samples is what a call costs at least.
    """
    samples, step = _in_a_step(samples)
    floors = floors.met_by([one for sample in samples for one in _measured(sample, backend)])
    errors: list[float] = []
    for fold in range(FOLDS):
        others = [sample for number, sample in enumerate(samples) if number % FOLDS != fold]
        prices = _fit(others, step, backend, floors)
        errors += [_error(prices, sample) for sample in samples[fold::FOLDS]]
    # What the laws are off by on the whole is taken out of what they are fitted to: so they stay within the floors.
    bias = math.exp(-float(np.median(errors)))
    around = _tamed([bounded(error + math.log(bias)) for error in errors])
    centred = tuple(np.quantile(around, np.linspace(0, 1, TWENTIETHS)).tolist())
    return replace(_fit([_times(sample, bias) for sample in samples], step * bias, backend, floors), errors=centred)


def best_product(samples: Sequence[Sample], backend: str) -> float:
    """Return the most multiplications and additions per second of any product of `samples`."""
    products = [one for sample in samples for one in _measured(sample, backend) if one.work.is_product]
    return max(2 * one.work.batch * one.work.inputs * one.work.outputs / one.seconds for one in products)


def _in_a_step(samples: Sequence[Sample]) -> tuple[list[Sample], float]:
    """Return the samples with each operation's seconds as in a step that is not interrupted, and such a step's seconds beside
    them: whole steps were measured as well.
    """
    rows = np.array([(1.0, math.fsum(sample.operations)) for sample in samples])
    step, factor = proportional(rows, np.array([sample.step for sample in samples])).tolist()
    return [_times(sample, factor) for sample in samples], step


def _times(sample: Sample, factor: float) -> Sample:
    return replace(sample, operations=tuple(factor * seconds for seconds in sample.operations))


def _tamed(errors: Sequence[float]) -> Floats:
    """A wild one is of a network that has none like it among the others, as the prices that all of them make have: it counts
    as some times what nine of ten keep within. Of 30 networks one is, the only one whose loss has 200,000 elements.
    """
    most = WILD * float(np.quantile(np.abs(errors), 0.9))
    tamed: Floats = np.clip(errors, -most, most)
    return tamed


def _error(prices: Prices, sample: Sample) -> float:
    return bounded(math.log(max(prices.of(sample.program).seconds, 1e-12) / sample.step))


def bounded(error: float) -> float:
    """Within what an error can be."""
    return min(max(error, -MOST_ERROR), MOST_ERROR)


def _fit(samples: Sequence[Sample], step: float, backend: str, floors: Floors) -> Prices:
    measured: dict[str, list[Measured]] = {}
    for sample in samples:
        for one in _measured(sample, backend):
            measured.setdefault(one.work.key, []).append(one)
    return Prices({name: fitted(rows, floors) for name, rows in measured.items()}, step, backend)


def _measured(sample: Sample, backend: str) -> list[Measured]:
    """All that took time by itself; what did not is done on another's way."""
    program, found = sample.program, list[Measured]()
    for work, places in works(program, backend):
        seconds = math.fsum(sample.operations[place] for place in places)
        if seconds > 0:
            operands = [name for place in places for name in (*program.ops[place].reads, *program.ops[place].writes)]
            found.append(Measured(work, seconds, sum(map(program.nbytes, operands))))
    return found
