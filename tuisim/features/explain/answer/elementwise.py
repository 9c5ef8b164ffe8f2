"""The time of an activation relative to a multiplication, per element, in cache and from memory.

The kernels are those of the NumPy backend, tile by tile as in a step, float32 into preallocated arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np

from tuisim.backends import get_backend
from tuisim.backends.numpy.activations import ACTIVATIONS
from tuisim.backends.numpy.context import KernelContext, NumpyScalars, tiles
from tuisim.backends.op_timing import Call
from tuisim.config import RunConfig
from tuisim.engine.step_time import Wanted, spread
from tuisim.program import build

CACHED = 16_384
"""Elements that stay in a core's cache: 64 KiB per array, enough to make the call overhead small."""
LARGE = 4_194_304
"""Elements that do not: 16 MiB per array."""
WIDTH = 512
"""Elements of a row."""
ROUNDS = {CACHED: 15, LARGE: 5}
ROUND_SECONDS = 0.001
"""Time of a function in each round; a single pass if that takes longer."""
MULTIPLY = "multiply"


@dataclass(frozen=True, slots=True)
class ElementTime:
    """One function over arrays of one size."""

    function: str
    """An activation's name, or `multiply`."""
    elements: int
    seconds: float
    """Per element, the median of the rounds."""
    spread: float
    ratio: float
    """Relative to the multiplication timed right before, the median; 1 for the multiplication itself."""


def element_times(threads: int, wanted: Wanted = lambda: True) -> tuple[ElementTime, ...]:
    """Time every activation and the multiplication at both sizes; return nothing if it is not wanted any more."""
    found: list[ElementTime] = []
    with get_backend("numpy").threads(threads), np.errstate(all="ignore"):
        for elements in (CACHED, LARGE):
            rounds = _rounds(_calls(elements), elements, wanted)
            if rounds is None:
                return ()
            products = [product for pairs in rounds.values() for product, _ in pairs]
            found.append(ElementTime(MULTIPLY, elements, median(products), spread(products), 1.0))
            for name, pairs in rounds.items():
                own = [seconds for _, seconds in pairs]
                ratio = median(seconds / product for product, seconds in pairs)
                found.append(ElementTime(name, elements, median(own), spread(own), ratio))
    return tuple(found)


def _calls(elements: int) -> dict[str, list[Call]]:
    """Return the bound calls of each function over the same arrays."""
    rng = np.random.default_rng(0)
    shape = elements // WIDTH, WIDTH
    z, w = (rng.standard_normal(shape, np.float32) for _ in range(2))
    a = np.zeros_like(z)
    cut = list(tiles(*shape))
    program = build(RunConfig(layers=(WIDTH, WIDTH)), 1)
    ctx = KernelContext(program, {}, NumpyScalars(program))
    functions: dict[str, list[Call]] = {MULTIPLY: [partial(np.multiply, z[rows], w[rows], a[rows]) for rows in cut]}
    for name, function in ACTIVATIONS.items():
        functions[name] = [call for rows in cut for call in function.forward(ctx, z[rows], a[rows])]
    return functions


def _rounds(functions: dict[str, list[Call]], elements: int, wanted: Wanted) -> dict[str, list[tuple[float, float]]] | None:
    """Return the seconds per element of a multiplication and, right after it, of each function, round by round."""
    passes: dict[str, int] = {}
    for name, calls in functions.items():
        _timed(calls, 1)  # the first pass fills the caches
        passes[name] = max(1, round(ROUND_SECONDS / _timed(calls, 1)))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in functions if name != MULTIPLY}
    for _ in range(ROUNDS[elements]):
        for name, found in times.items():
            if not wanted():
                return None
            product, own = (_timed(functions[one], passes[one]) / elements for one in (MULTIPLY, name))
            found.append((product, own))
    return times


def _timed(calls: list[Call], passes: int) -> float:
    """Return the seconds of one pass."""
    start = perf_counter()
    for _ in range(passes):
        for call in calls:
            call()
    return (perf_counter() - start) / passes
