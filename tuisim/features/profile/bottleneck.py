"""What limits one operation of a step, and in words what would help.

It reads counts, times and measured peaks; it measures nothing.
"""

from __future__ import annotations

from enum import StrEnum

from tuisim import units
from tuisim.features.profile.step_profile import OpTime
from tuisim.measure.peaks import Peaks
from tuisim.predict.work import PRODUCTS
from tuisim.program import Kind, Op, Phase

SCALARS = (Kind.CLIP_FACTOR, Kind.SCHEDULED_RATE, Kind.DECAY_FACTOR, Kind.BIAS_CORRECTION)
"""About a few numbers, whatever the network's size."""
SIMPLE = ("relu", "leaky_relu", "identity")
"""Activations that take a comparison and no more."""
MOSTLY = 0.5
"""From this share on, the call is most of the time, or a roof is near."""
THIN = 64
"""A product with a side below this leaves most of a matrix unit's registers and passes unused."""


class Limit(StrEnum):
    """What an operation's time goes into, in a word or two."""

    FUSED = "fused"
    """Another operation's kernel does it on the way."""
    INTERPRETER = "plain Python"
    CALLS = "calls"
    PEAK = "peak"
    """It is near the machine's."""
    VECTOR = "batch of one"
    THIN = "thin product"
    SMALL = "small product"
    MEMORY = "memory"
    FUNCTION = "function"
    """What is inside it and is counted as one."""
    PASSES = "passes"
    """More than one over its arrays."""


def limit(one: OpTime, peaks: Peaks, backend: str) -> Limit:
    """What `one` is limited by: the first that holds."""
    if one.seconds <= 0:
        return Limit.FUSED
    if backend == "scalar":
        return Limit.INTERPRETER
    return Limit.CALLS if call_seconds(one) >= MOSTLY * one.seconds else beyond_call(one, peaks, backend)


def beyond_call(one: OpTime, peaks: Peaks, backend: str) -> Limit:
    """What limits the part of it that is not the call."""
    if backend == "scalar":
        return Limit.INTERPRETER
    if one.op.kind in PRODUCTS:
        return _of_product(one, peaks)
    if (one.bytes_per_second or 0.0) >= MOSTLY * peaks.bytes_per_second or one.op.kind is Kind.GATHER:
        return Limit.MEMORY
    return Limit.FUNCTION if _dear(one.op) else Limit.PASSES


def call_seconds(one: OpTime) -> float:
    """Of its time, what the call takes: all of it where it is about a few numbers, whatever the network's size."""
    # The two are medians of different steps: a call can come out longer than what it is part of.
    return one.seconds if one.op.kind in SCALARS else min(one.floor, one.seconds)


def help_words(one: OpTime, peaks: Peaks, backend: str, of: Limit | None = None) -> str:
    """Why it takes so long, and what would make it quicker, as far as `of` limits it (none: what limits it most)."""
    op, kind = one.op, limit(one, peaks, backend) if of is None else of
    if kind is Limit.FUSED:
        return "another operation does it on the way: no time of its own"
    if kind is Limit.INTERPRETER:
        each = units.duration(one.seconds / max(1, one.row.operations.total))
        words = f"plain Python: {each} an operation; " if one.row.operations.total else "plain Python, value by value; "
        return words + "a backend that works on whole arrays would do many at once"
    if kind is Limit.CALLS:
        call = units.duration(call_seconds(one))
        shared = "a larger batch has fewer updates an example" if op.phase is Phase.UPDATE else "a larger batch would share it"
        return f"call overhead: {call} of {units.duration(one.seconds)} for {_elements_words(op)}; {shared}"
    if op.kind in PRODUCTS:
        return _product_words(one, kind, peaks)
    return _elementwise_words(one, kind, peaks, backend)


def elements(op: Op) -> int:
    """Numbers that an element-wise operation goes over."""
    if op.kind in SCALARS:
        return 1
    if op.phase is Phase.UPDATE:
        return op.parameters
    if op.kind is Kind.INPUT_GRADIENT:
        return op.batch * op.inputs
    if op.kind is Kind.WEIGHT_GRADIENT:
        return op.inputs * op.outputs
    return op.batch * op.outputs


def _of_product(one: OpTime, peaks: Peaks) -> Limit:
    op = one.op
    if (one.multiply_adds_per_second or 0.0) >= MOSTLY * peaks.flops_per_second:
        return Limit.PEAK
    if op.batch == 1:
        return Limit.VECTOR
    return Limit.THIN if min(op.batch, op.inputs, op.outputs) < THIN else Limit.SMALL


def _product_words(one: OpTime, kind: Limit, peaks: Peaks) -> str:
    op = one.op
    if kind is Limit.PEAK:
        share = units.percent((one.multiply_adds_per_second or 0.0) / peaks.flops_per_second, 0)
        return f"{share} of this machine's peak: fewer multiplications, more threads or another device would be quicker"
    if kind is Limit.VECTOR:
        return "batch of one: each weight is fetched for a single multiplication; a larger batch would use it again"
    if kind is Limit.SMALL:
        products = units.si(op.batch * op.inputs * op.outputs)
        return f"small product: {products} multiplications end before full speed; wider layers or a larger batch would use it"
    sides = {"outputs wide": op.outputs, "inputs wide": op.inputs, "examples tall": op.batch}
    side = min(sides, key=lambda name: sides[name])
    other = "a larger batch" if op.batch == sides[side] else "a wider layer"
    also = "" if other == "a larger batch" else " or a larger batch"
    return f"thin product: {sides[side]:,} {side}; {other}{also} would use the matrix unit better"


def _elementwise_words(one: OpTime, kind: Limit, peaks: Peaks, backend: str) -> str:
    op = one.op
    if kind is Limit.FUNCTION:
        return _function_words(op, units.duration(one.seconds / elements(op)), backend)
    rate, level = f"{units.si(one.bytes_per_second)}B/s", f" in {peaks.level}" if peaks.level else ""
    narrower = "; float32 would halve the bytes" if peaks.dtype == "float64" else ""
    if kind is Limit.PASSES:
        passes = "more than one pass over its arrays; a backend that fuses them would save some"
        return f"{rate}, below a copy's{level}: {passes}{narrower}"
    if op.kind is Kind.GATHER:
        return f"memory-bound: copies rows at {rate}; nothing is computed{narrower}"
    where = " out of the processor's caches" if (one.bytes_per_second or 0.0) > peaks.bytes_per_second else ""
    return f"memory-bound: each element is touched once, at {rate}{where}; fusing with its neighbour would save a pass{narrower}"


def _function_words(op: Op, each: str, backend: str) -> str:
    if op.phase is Phase.LOSS:
        fused = "" if backend == "numba" else "; a compiled step (numba) passes over them once"
        return f"{each} an element, for exponentials, logarithms and sums over rows{fused}"
    return f"{op.function}: {each} an element, for all that is inside and is counted as one; relu would be cheaper"


def _elements_words(op: Op) -> str:
    many = elements(op)
    return f"{many:,} element{'s' * (many != 1)}" if many < 1e6 else f"{units.si(many)} elements"


def _dear(op: Op) -> bool:
    """Whether an exponential or the like is inside."""
    return op.kind in (Kind.CROSS_ENTROPY, Kind.BINARY_CROSS_ENTROPY) or (op.function or "identity") not in SIMPLE
