"""A SIMD type for Numba: adjacent numbers of an array as one value.

It has 32 bytes, 8 numbers of float32 or 4 of float64; LLVM maps it to the registers of the processor.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from tuisim.backends.numba.compiler import intrinsic

_BYTES = 32
# Only some versions of Numba have type annotations; Any suits all.
_Type: Any = types.Type
_PrimitiveModel: Any = models.PrimitiveModel


class SimdType(_Type):  # type: ignore[misc]
    """The Numba type of a SIMD vector of numbers of the type `real`."""

    def __init__(self, real: Any) -> None:
        self.real = real
        super().__init__(name=f"SimdType({real})")

    @property
    def width(self) -> int:
        """Numbers in one value."""
        return int(_BYTES * 8 // self.real.bitwidth)


@register_model(SimdType)
class _Model(_PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: SimdType) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.real).get_value_type(), kind.width))


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: SimdType) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), context.get_value_type(kind).as_pointer())


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """Return the numbers from `index` on, which need not be aligned."""
    kind = SimdType(array.dtype)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = _address(context, builder, array, arguments[0], arguments[1], kind)
        value = builder.load(where)
        value.align = array.dtype.bitwidth // 8
        return value

    return kind(array, types.uint64), code


@intrinsic
def store(typing_context: Any, array: Any, index: Any, simd: Any) -> Any:
    """Store a value from `index` on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = _address(context, builder, array, arguments[0], arguments[1], simd)
        builder.store(arguments[2], where).align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.uint64, simd), code


@intrinsic
def broadcast(typing_context: Any, number: Any) -> Any:
    """Return a value of equal numbers."""
    kind = SimdType(number)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = context.get_value_type(kind)
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[0], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), kind.width), [0] * kind.width)
        return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), everywhere)

    return kind(number), code


@intrinsic
def multiply_add(typing_context: Any, total: Any, one: Any, other: Any) -> Any:
    """Return total + one·other, rounded once if the processor can."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        flags = ("contract",)
        return builder.fadd(builder.fmul(arguments[1], arguments[2], flags=flags), arguments[0], flags=flags)

    return total(total, total, total), code


@intrinsic
def reduce_add(typing_context: Any, simd: Any) -> Any:
    """Return the sum of the numbers of a value."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # By halves: the same order on every processor.
        value, wide = arguments[0], simd.width
        while wide > 1:
            wide //= 2
            low, high = (
                builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(ir.IntType(32), wide), list(range(at, at + wide))))
                for at in (0, wide)
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return simd.real(simd), code


@intrinsic
def extract(typing_context: Any, simd: Any, index: Any) -> Any:
    """Return one number of a value."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.extract_element(arguments[0], builder.trunc(arguments[1], ir.IntType(32)))

    return simd.real(simd, types.uint64), code


@intrinsic
def keep_last(typing_context: Any, simd: Any, number: Any) -> Any:
    """Return a value with its last `number` numbers, the others 0."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        vector = ir.VectorType(word, simd.width)
        from_end = ir.Constant(vector, list(range(simd.width, 0, -1)))
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[1], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), simd.width), [0] * simd.width)
        limit = builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), everywhere)
        zeros = ir.Constant(context.get_value_type(simd), [0.0] * simd.width)
        return builder.select(builder.icmp_unsigned("<=", from_end, limit), arguments[0], zeros)

    return simd(simd, types.uint64), code


@intrinsic
def simd_width(typing_context: Any, array: Any) -> Any:
    """Return how many numbers of the array's dtype are in one value."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.uint64, SimdType(array.dtype).width)

    return types.uint64(array), code
