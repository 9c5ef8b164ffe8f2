"""The bottleneck of one operation of a step, and advice on it, from counts, times and measured peaks."""

from __future__ import annotations

from enum import StrEnum

from tuisim import units
from tuisim.features.profile.step_profile import OperationTime
from tuisim.measure.peaks import Peaks
from tuisim.predict.work import PRODUCTS
from tuisim.program import Kind, Op, Phase

SCALARS = (Kind.CLIP_FACTOR, Kind.SCHEDULED_RATE, Kind.DECAY_FACTOR, Kind.BIAS_CORRECTION)
"""Operations on a few numbers for a network of any size."""
CHEAP = ("relu", "leaky_relu", "identity")
"""Activations that are one comparison or nothing."""
MOSTLY = 0.5
"""The minimum share for a call to be most of the time, and for a rate to be near its roof."""
SKINNY = 64
"""A GEMM with a side below this leaves most of a matrix unit's registers unused."""


class Bottleneck(StrEnum):
    """The part that most of an operation's time goes into."""

    FUSED = "fused"
    INTERPRETER = "plain Python"
    CALLS = "call overhead"
    PEAK = "peak"
    VECTOR = "matrix–vector (GEMV)"
    SKINNY = "skinny GEMM"
    SMALL = "small GEMM"
    MEMORY = "memory"
    FUNCTION = "math function"
    PASSES = "memory passes"


def bottleneck(one: OperationTime, peaks: Peaks, backend: str) -> Bottleneck:
    """Return the first bottleneck that applies to an operation."""
    if one.seconds <= 0:
        return Bottleneck.FUSED
    if backend == "scalar":
        return Bottleneck.INTERPRETER
    return Bottleneck.CALLS if call_seconds(one) >= MOSTLY * one.seconds else beyond_call(one, peaks, backend)


def beyond_call(one: OperationTime, peaks: Peaks, backend: str) -> Bottleneck:
    """Return the bottleneck of the part of an operation's time that is not the call."""
    op = one.op
    if backend == "scalar":
        return Bottleneck.INTERPRETER
    if op.kind in PRODUCTS:
        if (one.multiply_adds_per_second or 0.0) >= MOSTLY * peaks.flops_per_second:
            return Bottleneck.PEAK
        if op.batch == 1:
            return Bottleneck.VECTOR
        return Bottleneck.SKINNY if min(op.batch, op.inputs, op.outputs) < SKINNY else Bottleneck.SMALL
    if (one.bytes_per_second or 0.0) >= MOSTLY * peaks.bytes_per_second or op.kind is Kind.GATHER:
        return Bottleneck.MEMORY
    has_function = op.kind in (Kind.CROSS_ENTROPY, Kind.BINARY_CROSS_ENTROPY) or (op.function or "identity") not in CHEAP
    return Bottleneck.FUNCTION if has_function else Bottleneck.PASSES


def call_seconds(one: OperationTime) -> float:
    """Return the part of an operation's time that the call takes: all of it for an operation on a few numbers."""
    # The two are medians of different steps: a call can come out longer than the operation it is part of.
    return one.seconds if one.op.kind in SCALARS else min(one.floor, one.seconds)


def advice(one: OperationTime, peaks: Peaks, backend: str, about: Bottleneck | None = None) -> str:
    """Say why an operation takes so long and what would make it faster, as far as `about` limits it (None: its bottleneck)."""
    op, kind = one.op, bottleneck(one, peaks, backend) if about is None else about
    if kind is Bottleneck.FUSED:
        return "fused into the kernel of another operation"
    if kind is Bottleneck.INTERPRETER:
        each = units.duration(one.seconds / max(1, one.row.operations.total))
        rate = f"plain Python: {each} per operation" if one.row.operations.total else "plain Python, value by value"
        return f"{rate}; a backend that works on whole arrays would do many at once"
    if kind is Bottleneck.CALLS:
        shared = (
            "a larger batch has fewer updates per example" if op.phase is Phase.UPDATE else "a larger batch would amortize it"
        )
        many = elements(op)
        count = units.counted(many, "element") if many < 1e6 else f"{units.si(many)} elements"
        return f"call overhead: {units.duration(call_seconds(one))} of {units.duration(one.seconds)} for {count}; {shared}"
    if op.kind in PRODUCTS:
        return _gemm_advice(one, kind, peaks)
    if kind is Bottleneck.FUNCTION:
        return _function_advice(op, units.duration(one.seconds / elements(op)), backend)
    return _memory_advice(one, kind, peaks)


def elements(op: Op) -> int:
    """Return the number of values that an element-wise operation processes."""
    if op.kind in SCALARS:
        return 1
    if op.phase is Phase.UPDATE:
        return op.parameters
    if op.kind is Kind.INPUT_GRADIENT:
        return op.batch * op.inputs
    if op.kind is Kind.WEIGHT_GRADIENT:
        return op.inputs * op.outputs
    return op.batch * op.outputs


def _gemm_advice(one: OperationTime, kind: Bottleneck, peaks: Peaks) -> str:
    op = one.op
    if kind is Bottleneck.PEAK:
        share = units.percent((one.multiply_adds_per_second or 0.0) / peaks.flops_per_second, 0)
        return f"{share} of this machine's peak: fewer multiplications, more threads or another device would be faster"
    if kind is Bottleneck.VECTOR:
        return "batch of one: each weight is loaded for a single multiplication; a larger batch would reuse it"
    if kind is Bottleneck.SMALL:
        count = units.si(op.batch * op.inputs * op.outputs)
        return f"small GEMM: {count} multiplications end before full speed; wider layers or a larger batch would reach it"
    sides = {"outputs wide": op.outputs, "inputs wide": op.inputs, "examples tall": op.batch}
    side = min(sides, key=lambda name: sides[name])
    remedy = "a larger batch" if op.batch == sides[side] else "a wider layer or a larger batch"
    return f"skinny GEMM: {sides[side]:,} {side}; {remedy} would come closer to the peak"


def _memory_advice(one: OperationTime, kind: Bottleneck, peaks: Peaks) -> str:
    rate, level = f"{units.si(one.bytes_per_second)}B/s", f" in {peaks.level}" if peaks.level else ""
    narrower = "; float32 would halve the bytes" if peaks.dtype == "float64" else ""
    if kind is Bottleneck.PASSES:
        passes = "more than one pass over its arrays; a backend that fuses them would save some"
        return f"{rate}, below a copy's{level}: {passes}{narrower}"
    if one.op.kind is Kind.GATHER:
        return f"memory-bound: copies rows at {rate}; nothing is computed{narrower}"
    where = " out of the processor's caches" if (one.bytes_per_second or 0.0) > peaks.bytes_per_second else ""
    return f"memory-bound: each element is touched once, at {rate}{where}; fusing with its neighbour would save a pass{narrower}"


def _function_advice(op: Op, each: str, backend: str) -> str:
    if op.phase is Phase.LOSS:
        fused = "" if backend == "numba" else "; a compiled step (numba) makes a single pass over them"
        return f"{each} per element, for exponentials, logarithms and sums over rows{fused}"
    return f"{op.function}: {each} per element, for everything inside it that is counted as one; relu would be cheaper"
