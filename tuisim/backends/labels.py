"""Which operation each ready-made call belongs to, and what an operation took, found by timing the calls one by one.

It does not know what a call does or when a step is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from time import perf_counter

from tuisim.program import Kind, Op, Phase, StepProgram

Call = Callable[[], object]
Labelled = tuple[Op, Call]
"""A call and the operation that it does, or a part of it."""


def calls(labelled: Iterable[Labelled]) -> list[Call]:
    """The calls alone."""
    return [call for _, call in labelled]


def timed(labelled: Iterable[Labelled]) -> dict[Op, float]:
    """Seconds of each operation, of one round of its calls; the clock's own time is taken off."""
    labelled = list(labelled)
    reading, stamps = clock_seconds(), [0.0] * (len(labelled) + 1)
    stamps[0] = perf_counter()
    for place, (_, call) in enumerate(labelled, 1):
        call()
        stamps[place] = perf_counter()
    found: dict[Op, float] = {}
    for (op, _), start, end in zip(labelled, stamps, stamps[1:], strict=False):
        found[op] = found.get(op, 0.0) + max(0.0, end - start - reading)
    return found


@cache
def clock_seconds() -> float:
    """What reading the clock and writing it down takes: the least of some rounds."""
    rounds, best = 200, float("inf")
    stamps = [0.0] * rounds
    for _ in range(20):
        start = perf_counter()
        for place in range(rounds):
            stamps[place] = perf_counter()
        best = min(best, (perf_counter() - start) / rounds)
    return best


def by_operation(program: StepProgram, seconds: Mapping[Op, float]) -> list[float]:
    """Seconds of each operation of the program, in its order.

    An update in one pass over all layers is each layer's by its parameters. An operation that is not named takes no time of
    its own: another's call does it on the way.
    """
    kinds: dict[Kind, float] = {}
    parameters: dict[Kind, int] = {}
    for op in filter(_of_layer, program.ops):
        kinds[op.kind] = kinds.get(op.kind, 0.0) + seconds.get(op, 0.0)
        parameters[op.kind] = parameters.get(op.kind, 0) + op.parameters
    return [kinds[op.kind] * op.parameters / parameters[op.kind] if _of_layer(op) else seconds.get(op, 0.0) for op in program.ops]


def _of_layer(op: Op) -> bool:
    """Whether it is a layer's share of the update."""
    return op.phase is Phase.UPDATE and op.layer is not None
