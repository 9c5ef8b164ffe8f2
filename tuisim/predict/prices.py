"""Prices: the seconds that each kind of operation costs on one backend, fitted to measured steps.

The price of a kind is a sum of terms: a call, and so much for each row, element, weight or multiplication. The coefficients are
the non-negative least squares of predicted over measured seconds. The manual has the refinements that were tried and left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tuisim.predict.leastsquares import nonnegative
from tuisim.predict.sample import Sample
from tuisim.predict.work import Work, shares, works
from tuisim.program import Kind, Op, StepProgram

FOLDS = 7
"""Parts of the samples. Each part is predicted by prices fitted to the others, which gives the errors.

No cycle in the calibration networks divides 7, so no fold holds every network with one optimizer or function.
"""
MAX_ERROR = math.log(100)
"""Natural logarithm; errors are clipped to it."""
QUANTILES = 21
"""Quantiles of the errors that are kept."""


def terms(work: Work) -> dict[str, float]:
    """Return the amount of each term in `work`, with every term of its kind."""
    batch, inputs, outputs = float(work.batch), float(work.inputs), float(work.outputs)
    if work.is_product:
        multiply = batch * inputs * outputs
        return {"call": 1.0, "multiply": multiply, "weight": inputs * outputs, "output": batch * outputs}
    if work.parameters:
        elements, rows = float(work.parameters), 0.0
    elif work.kind is Kind.GATHER:
        elements, rows = batch * (inputs + outputs), batch
    else:
        elements, rows = batch * outputs, batch
    return {"call": 1.0, "row": rows, "element": elements, "far_element": elements * work.far}


@dataclass(frozen=True)
class Prices:
    """The fitted prices of one backend, and their errors for steps they were not fitted to."""

    kinds: dict[str, dict[str, float]]
    """Seconds per unit of each term, by `Work.key`."""
    backend: str
    """Its GEMM dispatch belongs to the keys."""
    largest: int = 0
    """Multiplications of the largest product that was measured; 0 if there was none."""
    errors: tuple[float, ...] = ()
    """Quantiles of the natural logarithm of predicted over measured, in order."""

    def of(self, program: StepProgram) -> tuple[tuple[Op, float], ...]:
        """Return (operation, seconds) of a step, in the program's order."""
        seconds = [0.0] * len(program.ops)
        for work, places in works(program, self.backend):
            whole = self.seconds(work)
            for place, share in zip(places, shares(program, places), strict=True):
                seconds[place] = whole * share
        return tuple(zip(program.ops, seconds, strict=True))

    def step(self, program: StepProgram) -> float:
        """Return the seconds of a step."""
        return math.fsum(seconds for _, seconds in self.of(program))

    def seconds(self, work: Work) -> float:
        """Return the seconds of one piece of work.

        A function that was not measured costs the mean of the others of its kind; a kind that was not measured, because the
        backend computes it within another, costs nothing.
        """
        return self._mean(work, terms(work))

    def call(self, work: Work) -> float:
        """Return the call overhead within `seconds(work)`."""
        return self._mean(work, {"call": 1.0})

    def _mean(self, work: Work, amounts: dict[str, float]) -> float:
        """Return the mean cost of these amounts over the price of the work, or those of its kind."""
        own = self.kinds.get(work.key)
        prices = [price for name, price in self.kinds.items() if name.split(" ")[0] == work.kind.value] if own is None else [own]
        costs = (price.get(name, 0.0) * amount for price in prices for name, amount in amounts.items())
        return math.fsum(costs) / (len(prices) or 1)

    def scaled(self, factor: float) -> Prices:
        """Return these prices times `factor`."""
        kinds = {key: {name: factor * value for name, value in price.items()} for key, price in self.kinds.items()}
        return replace(self, kinds=kinds)


def fit(samples: Sequence[Sample], backend: str) -> Prices:
    """Fit the prices of `backend` to `samples`, with the errors for steps that they were not fitted to.

    The median error is taken out of the prices.
    """
    logs: list[float] = []
    for fold in range(FOLDS):
        prices = _fit([sample for number, sample in enumerate(samples) if number % FOLDS != fold], backend)
        logs += [math.log(max(prices.step(sample.program), 1e-12) / sample.step) for sample in samples[fold::FOLDS]]
    errors = np.clip(logs, -MAX_ERROR, MAX_ERROR)
    bias = float(np.median(errors))
    around = np.quantile(np.clip(errors - bias, -MAX_ERROR, MAX_ERROR), np.linspace(0, 1, QUANTILES))
    return replace(_fit(samples, backend).scaled(math.exp(-bias)), errors=tuple(around.tolist()))


def _fit(samples: Sequence[Sample], backend: str) -> Prices:
    measured: dict[str, list[tuple[Work, float]]] = {}
    for sample in samples:
        for work, places in works(sample.program, backend):
            seconds = math.fsum(sample.operations[place] for place in places)
            if seconds > 0:
                measured.setdefault(work.key, []).append((work, seconds))
    products = [work.batch * work.inputs * work.outputs for rows in measured.values() for work, _ in rows if work.is_product]
    return Prices({key: _price(rows) for key, rows in measured.items()}, backend, max(products, default=0))


def _price(measured: Sequence[tuple[Work, float]]) -> dict[str, float]:
    """Return the seconds per unit of each term, without those that are 0."""
    names = list(terms(measured[0][0]))
    relative = np.array([list(terms(work).values()) for work, _ in measured]) / np.array([[seconds] for _, seconds in measured])
    found = nonnegative(relative, np.ones(len(measured))).tolist()
    return {name: value for name, value in zip(names, found, strict=True) if value > 0}
