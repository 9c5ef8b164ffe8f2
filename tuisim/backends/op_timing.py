"""Calls labelled with the operation they execute, and the time of each operation from timing the calls one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from time import perf_counter

from tuisim.backends.protocol import PhaseSeconds
from tuisim.program import Kind, Op, Phase, StepProgram

Call = Callable[[], object]
OpCall = tuple[Op, Call]
"""An operation, and a call that executes it or a part of it."""


def time_calls(op_calls: Iterable[OpCall]) -> dict[Op, float]:
    """Run the calls once and return the seconds of each operation, without the time of reading the clock."""
    op_calls = list(op_calls)
    reading, stamps = clock_seconds(), [0.0] * (len(op_calls) + 1)
    stamps[0] = perf_counter()
    for place, (_, call) in enumerate(op_calls, 1):
        call()
        stamps[place] = perf_counter()
    found: dict[Op, float] = {}
    for (op, _), start, end in zip(op_calls, stamps, stamps[1:], strict=False):
        found[op] = found.get(op, 0.0) + max(0.0, end - start - reading)
    return found


def time_phases(run: Callable[[Phase], object], loss: Callable[[], float]) -> tuple[float, PhaseSeconds]:
    """Run each phase once; return the loss and the seconds of each phase, empty if the loss is not finite."""
    value, seconds = 0.0, PhaseSeconds()
    for phase in Phase:
        if phase is Phase.BACKWARD and not math.isfinite(value):
            return value, {}
        start = perf_counter()
        run(phase)
        if phase is Phase.LOSS:
            value = loss()
        seconds[phase] = perf_counter() - start
    return value, seconds


@cache
def clock_seconds() -> float:
    """Return the seconds that reading the clock and storing the time take: the minimum of some rounds."""
    rounds, best = 200, float("inf")
    stamps = [0.0] * rounds
    for _ in range(20):
        start = perf_counter()
        for place in range(rounds):
            stamps[place] = perf_counter()
        best = min(best, (perf_counter() - start) / rounds)
    return best


def seconds_by_op(program: StepProgram, seconds: Mapping[Op, float]) -> list[float]:
    """Return the seconds of each operation of the program, in its order.

    The time of an update over all layers is divided among the layers by their parameters. An operation that is not in
    `seconds` is fused into another one and takes 0.
    """
    kinds: dict[Kind, float] = {}
    parameters: dict[Kind, int] = {}
    for op in filter(_is_layer_update, program.ops):
        kinds[op.kind] = kinds.get(op.kind, 0.0) + seconds.get(op, 0.0)
        parameters[op.kind] = parameters.get(op.kind, 0) + op.parameters
    return [
        kinds[op.kind] * op.parameters / parameters[op.kind] if _is_layer_update(op) else seconds.get(op, 0.0)
        for op in program.ops
    ]


def _is_layer_update(op: Op) -> bool:
    return op.phase is Phase.UPDATE and op.layer is not None
