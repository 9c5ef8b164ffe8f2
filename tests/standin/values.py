"""Conversions and operators on compiled expressions, with C's rules for types.

It does not know syntax: operands come compiled, the operator by its sign."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .ctypes_of import BOOL, INT, LONG, Number, PointerTo, common, promoted
from .faults import CompileError
from .lanes import Mask
from .memory import Pointer
from .scopes import Expr, Frame, Run

Ufunc = Callable[..., Any]

_ARITHMETIC: dict[str, Ufunc] = {"+": np.add, "-": np.subtract, "*": np.multiply}
_WHOLE: dict[str, Ufunc] = {"&": np.bitwise_and, "|": np.bitwise_or, "^": np.bitwise_xor}
_SHIFTS: dict[str, Ufunc] = {"<<": np.left_shift, ">>": np.right_shift}
_ORDER: dict[str, Ufunc] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip


def constant(kind: Number, value: Any) -> Expr:
    value = kind.value(value)
    return Expr(kind, lambda f, m: value, value, safe=True)


def folded(kind: Number, run: Run, *operands: Expr) -> Expr:
    """An expression of numbers that checks nothing, evaluated at once where the operands are constant."""
    if all(operand.const is not None for operand in operands):
        with np.errstate(all="ignore"):
            return constant(kind, run(None, None))  # type: ignore[arg-type]  # constants look at neither
    return Expr(kind, run, safe=all(operand.safe for operand in operands))


def number(expr: Expr, line: int) -> Number:
    if not isinstance(expr.kind, Number):
        raise CompileError(f"a number is needed here, not {expr.kind.name if expr.kind else 'void'}", line=line)
    return expr.kind


def converted(expr: Expr, to: Number | PointerTo, line: int) -> Expr:
    """As C converts on assignment; raises CompileError where it may not."""
    if expr.kind == to:
        return expr
    if isinstance(to, PointerTo):
        return _pointed(expr, to, line)
    if isinstance(expr.kind, PointerTo) and to == BOOL:
        return Expr(BOOL, lambda f, m: np.bool_(expr.run(f, m).memory is not None), safe=expr.safe)
    source = number(expr, line)
    if to == BOOL:
        return folded(BOOL, lambda f, m: np.not_equal(expr.run(f, m), source.dtype.type(0)), expr)
    if source.floating and not to.floating and expr.const is None:
        return _truncated(expr, to, line)
    dtype = to.dtype
    return folded(to, lambda f, m: expr.run(f, m).astype(dtype), expr)


def _pointed(expr: Expr, to: PointerTo, line: int) -> Expr:
    if isinstance(expr.kind, PointerTo) and expr.kind.to == to.to and to.const:
        return expr._replace(kind=to)
    if expr.const is not None and expr.kind in (INT, LONG) and expr.const == 0:
        return Expr(to, lambda f, m: Pointer(None), safe=True)
    raise CompileError(f"{expr.kind.name if expr.kind else 'void'} does not become {to.name}", line=line)


def _truncated(expr: Expr, to: Number, line: int) -> Expr:
    """A floating number made whole: what does not fit has no value in C."""
    bounds = np.iinfo(to.dtype)
    low, high, dtype = float(bounds.min) - 1, float(bounds.max) + 1, to.dtype

    def run(f: Frame, m: Mask) -> Any:
        value = expr.run(f, m)
        wild = ~((np.trunc(value).astype(np.float64) > low) & (np.trunc(value).astype(np.float64) < high))
        if m.where(wild) is not None:
            f.batch.fail(f"a floating value that {to.name} does not hold", line, m.first(wild))
        return value.astype(dtype)

    return Expr(to, run)


def truth(expr: Expr, line: int) -> Expr:
    return converted(expr, BOOL, line)


def binary(sign: str, a: Expr, b: Expr, line: int) -> Expr:
    """`a sign b`, but for && and ||, which decide by masks."""
    if isinstance(a.kind, PointerTo) or isinstance(b.kind, PointerTo):
        return _with_pointer(sign, a, b, line)
    left, right = number(a, line), number(b, line)
    if sign in _SHIFTS:
        return _shift(sign, a, b, line)
    kind = common(left, right)
    if kind.floating and (sign in _WHOLE or sign == "%"):
        raise CompileError(f"{sign} is for whole numbers", line=line)
    a, b = converted(a, kind, line), converted(b, kind, line)
    if sign in _ORDER:
        return _applied(_ORDER[sign], BOOL, a, b)
    if sign in "/%":
        return _applied(np.true_divide, kind, a, b) if kind.floating else _whole_division(sign, kind, a, b, line)
    operation = {**_ARITHMETIC, **_WHOLE}.get(sign)
    if operation is None:
        raise CompileError(f"the operator {sign} is not in the subset", line=line)
    return _applied(operation, kind, a, b)


def _applied(operation: Ufunc, kind: Number, a: Expr, b: Expr) -> Expr:
    first, second = a.run, b.run
    return folded(kind, lambda f, m: operation(first(f, m), second(f, m)), a, b)


def _shift(sign: str, a: Expr, b: Expr, line: int) -> Expr:
    kind = promoted(number(a, line))
    if kind.floating or number(b, line).floating:
        raise CompileError(f"{sign} is for whole numbers", line=line)
    return _applied(_SHIFTS[sign], kind, converted(a, kind, line), converted(b, kind, line))


def _whole_division(sign: str, kind: Number, a: Expr, b: Expr, line: int) -> Expr:
    """Towards zero; raises where an active thread divides by zero."""

    def divide(x: Any, y: Any) -> Any:
        rest = np.fmod(x, y)
        return rest if sign == "%" else (x - rest) // y

    def run(f: Frame, m: Mask) -> Any:
        x, y = a.run(f, m), b.run(f, m)
        if m.where(y == 0) is not None:
            f.batch.fail("a whole number divided by zero", line, m.first(y == 0))
        return divide(x, y)

    if b.const is None:
        return Expr(kind, run)
    if b.const == 0:
        raise CompileError("a whole number divided by zero", line=line)
    return _applied(divide, kind, a, b)


def _with_pointer(sign: str, a: Expr, b: Expr, line: int) -> Expr:
    if sign in ("==", "!="):
        return _compared_with_null(sign, a, b, line)
    if sign == "+" and isinstance(b.kind, PointerTo):
        a, b = b, a
    if sign not in "+-" or not isinstance(a.kind, PointerTo) or isinstance(b.kind, PointerTo):
        raise CompileError(f"{sign} between these pointers is not in the subset", line=line)
    if number(b, line).floating:
        raise CompileError("a pointer moves by whole numbers", line=line)
    b = converted(b, LONG, line)
    first, second = a.run, b.run
    if sign == "-":
        return Expr(a.kind, lambda f, m: first(f, m).plus(-second(f, m)), safe=a.safe and b.safe)
    return Expr(a.kind, lambda f, m: first(f, m).plus(second(f, m)), safe=a.safe and b.safe)


def _compared_with_null(sign: str, a: Expr, b: Expr, line: int) -> Expr:
    pointer, other = (a, b) if isinstance(a.kind, PointerTo) else (b, a)
    if other.const is None or other.const != 0:
        raise CompileError("pointers are compared with null only", line=line)
    present = sign == "!="
    return Expr(BOOL, lambda f, m: np.bool_((pointer.run(f, m).memory is not None) is present), safe=pointer.safe)
