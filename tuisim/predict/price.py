"""The price of one kind of operation: seconds as a law of its sizes, and for products the shapes that were measured as well.

The law is a sum of terms, none below what was measured as the least possible, fitted by least squares of its logarithm: a call,
and so much for each row, element and multiplication, near and out of the caches. A product's rate has dips no law has; there,
the measured shapes near the one asked for say by how much the law is off. It knows nothing of networks or runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tuisim.predict.leastsquares import proportional
from tuisim.predict.work import Work
from tuisim.program import Kind

Floats = NDArray[np.float64]

NARROW = 16
"""Outputs below which a row does not fill a vector register."""
BLOCK = 4
"""Rows that products are computed in at a time; what is left over is computed one by one, by our loops and BLAS alike."""
REACH = 0.5
"""How near a measured shape counts, in natural logarithms of the sizes: 1.6 times as large or small counts 0.6."""
FAR_REACH = 3.0
"""What a step wholly out of cache is away from one within, in the same measure."""
DOUBT = 0.15
"""Of a measurement at the very shape: so much the law is believed against it."""
LARGEST_DIP = 1.5
"""Natural logarithm of what a measured shape may correct the law by."""
HALF_FAR = 0.5
"""From where on a step is so far out of cache that its operations tell of the memory beyond."""
Coordinates = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Point:
    """A product that was measured: sizes B, N, M, how far out of cache its step lay (0 to 1), seconds."""

    batch: int
    inputs: int
    outputs: int
    far: float
    seconds: float

    @property
    def work(self) -> Work:
        """The terms of all three products are the same."""
        return Work(Kind.DENSE, None, self.batch, self.inputs, self.outputs, 0, self.far)


def terms(work: Work) -> dict[str, float]:
    """How much of each term of the law there is in `work`."""
    batch, inputs, outputs = float(work.batch), float(work.inputs), float(work.outputs)
    if work.is_product:
        multiply, narrow = batch * inputs * outputs, float(work.outputs < NARROW)
        return {
            "call": 1.0,
            "multiply": multiply,
            "far_multiply": multiply * work.far,
            "narrow_multiply": multiply * narrow,
            "input": batch * inputs,
            "narrow_input": batch * inputs * narrow,
            "weight": inputs * outputs,
            "far_weight": inputs * outputs * work.far,
            "output": batch * outputs,
            "far_input": batch * inputs * work.far,
            "far_output": batch * outputs * work.far,
            "last_rows": work.batch % BLOCK * inputs * outputs,
            "last_inputs": work.inputs % BLOCK * batch * outputs,
            "row": batch,
            "side": inputs + outputs,
        }
    if work.parameters:
        elements, rows = float(work.parameters), 0.0
    elif work.kind is Kind.GATHER:
        elements, rows = batch * (inputs + outputs), batch
    else:
        elements, rows = batch * outputs, batch
    return {"call": 1.0, "row": rows, "element": elements, "far_element": elements * work.far}


class Measured(NamedTuple):
    """Work that was timed."""

    work: Work
    seconds: float
    bytes: int
    """Those of its operands, each once."""


@dataclass(frozen=True, slots=True)
class Floors:
    """The least that work can cost on a machine, as measured there; 0 where that is not known."""

    call: float = 0.0
    """Seconds of the cheapest operation of any step."""
    multiply: float = 0.0
    """Seconds of a multiplication, with its addition, at the peak of matrix products."""
    near: float = 0.0
    """Seconds of a byte read or written in the fastest cache."""
    far: float = 0.0
    """The same in the memory level that holds a step out of cache."""

    def met_by(self, measured: Sequence[Measured]) -> Floors:
        """Return the floors with what a call costs at least, and no higher than any work of `measured` was quick."""
        moved = [(one.seconds / one.bytes, one.work.far) for one in measured if one.bytes and not one.work.is_product]
        near = min([self.near, *(each for each, _ in moved)])
        far = min([self.far, *(near + (each - near) / out for each, out in moved if out >= HALF_FAR)])
        return replace(self, call=min(one.seconds for one in measured), near=near, far=far)

    def of(self, measured: Sequence[Measured]) -> dict[str, float]:
        """Return the least seconds for one of a term, by the term's name."""
        found = {"call": self.call}
        return found | ({"multiply": self.multiply} if measured[0].work.is_product else {"element": self.near * _moved(measured)})

    def short(self, measured: Sequence[Measured], law: Mapping[str, float]) -> float:
        """Return what an element out of cache costs too little by `law`; 0 or less if nothing."""
        return self.far * _moved(measured) - law["element"] - law["far_element"]


def _moved(measured: Sequence[Measured]) -> float:
    """Bytes of an element, the fewest of all that was measured."""
    return min((one.bytes / elements for one in measured if (elements := terms(one.work)["element"])), default=0.0)


NO_FLOORS = Floors()


@dataclass(frozen=True)
class Price:
    """What work of one kind costs."""

    law: dict[str, float]
    """Seconds for one of each term."""
    points: tuple[Point, ...] = ()
    least: dict[str, float] = field(default_factory=dict)
    """Least seconds for one of a term, as measured: what the points correct is the rest."""

    def seconds(self, work: Work) -> float:
        least = _sum(self.least, work)
        return least + (_sum(self.law, work) - least) * self._dip(work)

    def call(self, work: Work) -> float:
        """Of these seconds, what is paid however small the work is."""
        least = self.least.get("call", 0.0)
        return least + (self.law.get("call", 0.0) - least) * self._dip(work)

    def _dip(self, work: Work) -> float:
        """Measured over law at the shapes near this one, both without the least; 1 where none is near."""
        if not self.points:
            return 1.0
        places, logarithms = self._measured
        away = places - np.array(_coordinates(work))
        weights = np.exp(-np.einsum("ij,ij->i", away, away) / (2 * REACH**2))
        return math.exp(float(weights @ logarithms) / (float(weights.sum()) + DOUBT))

    @cached_property
    def _measured(self) -> tuple[Floats, Floats]:
        """Coordinates of the points, and the logarithm of each's time over the law's, both without the least."""
        dips: list[float] = []
        for one in self.points:
            least = _sum(self.least, one.work)
            law, seconds = _sum(self.law, one.work) - least, one.seconds - least
            dips.append(-LARGEST_DIP if seconds <= 0 else math.log(seconds / law) if law > 0 else 0.0)
        return np.array([_coordinates(one.work) for one in self.points]), np.clip(dips, -LARGEST_DIP, LARGEST_DIP)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, to four figures: no more of them were measured."""
        found: dict[str, Any] = {"law": {name: short(value) for name, value in self.law.items()}}
        if self.least:
            found["least"] = {name: short(value) for name, value in self.least.items()}
        if self.points:
            found["measured"] = [
                f"{one.batch} {one.inputs} {one.outputs} {short(one.far):g} {short(one.seconds):g}" for one in self.points
            ]
        return found


def fitted(measured: Sequence[Measured], floors: Floors = NO_FLOORS) -> Price:
    """The price that is nearest to what was measured, each counting by its ratio, and nowhere below `floors`."""
    least = floors.of(measured)
    law = _law(measured, least)
    products = [(one.work, one.seconds) for one in measured if one.work.is_product]
    if not products and (short := floors.short(measured, law)) > 0:
        law = _law(measured, least | {"element": law["element"], "far_element": law["far_element"] + short})
    points = tuple(Point(work.batch, work.inputs, work.outputs, work.far, spent) for work, spent in products)
    return Price(_above_zero(law), points, _above_zero(least) if points else {})


def _law(measured: Sequence[Measured], least: Mapping[str, float]) -> dict[str, float]:
    names = list(terms(measured[0].work))
    rows = np.array([list(terms(one.work).values()) for one in measured])
    seconds = np.array([one.seconds for one in measured])
    law = proportional(rows, seconds, np.array([least.get(name, 0.0) for name in names]))
    return dict(zip(names, law.tolist(), strict=True))


def _above_zero(each: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in each.items() if value > 0}


def _sum(each: Mapping[str, float], work: Work) -> float:
    """Seconds of all terms of `work`."""
    return sum(each.get(name, 0.0) * amount for name, amount in terms(work).items()) if each else 0.0


def _coordinates(work: Work) -> Coordinates:
    return math.log(work.batch), math.log(work.inputs), math.log(work.outputs), FAR_REACH * work.far


def short(value: float) -> float:
    """To four figures."""
    return float(f"{value:.4g}")
