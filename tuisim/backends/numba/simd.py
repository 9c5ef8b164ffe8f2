"""Several neighbours of an array as one value: what one of the processor's wide instructions works on.

Numba has no such type, so this gives it one: 32 bytes, 8 numbers of float32 or 4 of float64, which LLVM turns into what the
processor has, twice half of them if need be. What is computed with them is not known here.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

_BYTES = 32
# Only some versions of Numba tell their types; so they are the same for all.
_Type: Any = types.Type
_PrimitiveModel: Any = models.PrimitiveModel


class Lanes(_Type):  # type: ignore[misc]
    """The type of such a value, by the type of its numbers."""

    def __init__(self, real: Any) -> None:
        self.real = real
        super().__init__(name=f"Lanes({real})")

    @property
    def count(self) -> int:
        return int(_BYTES * 8 // self.real.bitwidth)


@register_model(Lanes)
class _Model(_PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Lanes) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.real).get_value_type(), kind.count))


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Lanes) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), context.get_value_type(kind).as_pointer())


def _load(typing_context: Any, array: Any, index: Any) -> Any:
    kind = Lanes(array.dtype)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = _address(context, builder, array, arguments[0], arguments[1], kind)
        value = builder.load(where)
        value.align = array.dtype.bitwidth // 8
        return value

    return kind(array, types.uint64), code


def _store(typing_context: Any, array: Any, index: Any, lanes: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = _address(context, builder, array, arguments[0], arguments[1], lanes)
        builder.store(arguments[2], where).align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.uint64, lanes), code


def _spread(typing_context: Any, number: Any) -> Any:
    kind = Lanes(number)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = context.get_value_type(kind)
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[0], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count)
        return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), everywhere)

    return kind(number), code


def _add_product(typing_context: Any, total: Any, one: Any, other: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        flags = ("contract",)
        return builder.fadd(builder.fmul(arguments[1], arguments[2], flags=flags), arguments[0], flags=flags)

    return total(total, total, total), code


def _add_up(typing_context: Any, lanes: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # Halves upon halves: the same order on every processor.
        value, wide = arguments[0], lanes.count
        while wide > 1:
            wide //= 2
            low, high = (
                builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(ir.IntType(32), wide), list(range(at, at + wide))))
                for at in (0, wide)
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return lanes.real(lanes), code


def _pick(typing_context: Any, lanes: Any, index: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.extract_element(arguments[0], builder.trunc(arguments[1], ir.IntType(32)))

    return lanes.real(lanes, types.uint64), code


def _only_last(typing_context: Any, lanes: Any, wanted: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        vector = ir.VectorType(word, lanes.count)
        from_end = ir.Constant(vector, list(range(lanes.count, 0, -1)))
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), arguments[1], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes.count), [0] * lanes.count)
        limit = builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), everywhere)
        zeros = ir.Constant(context.get_value_type(lanes), [0.0] * lanes.count)
        return builder.select(builder.icmp_unsigned("<=", from_end, limit), arguments[0], zeros)

    return lanes(lanes, types.uint64), code


def _count(typing_context: Any, array: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.uint64, Lanes(array.dtype).count)

    return types.uint64(array), code


load: Any = intrinsic(_load)
"""load(array, index): the neighbours from `index` on, wherever that lies."""
store: Any = intrinsic(_store)
"""store(array, index, lanes)."""
spread: Any = intrinsic(_spread)
"""spread(number): that number everywhere."""
add_product: Any = intrinsic(_add_product)
"""add_product(total, a, b): total + a·b, rounded once where the processor can."""
add_up: Any = intrinsic(_add_up)
"""add_up(lanes): the sum of its numbers."""
pick: Any = intrinsic(_pick)
"""pick(lanes, index): that one of its numbers."""
only_last: Any = intrinsic(_only_last)
"""only_last(lanes, n): the last n of its numbers, the others 0."""
count: Any = intrinsic(_count)
"""count(array): how many of its numbers are one value."""
