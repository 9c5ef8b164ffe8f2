"""Calls: CUDA's mathematics, barriers and shuffles, and the module's own device functions.

It does not know syntax: arguments come compiled, the function by its name."""

from typing import Any

import numpy as np

from .ctypes_of import BOOL, DOUBLE, FLOAT, INT, UINT, Number, common, promoted
from .faults import CompileError
from .lanes import Mask
from .scopes import Expr, Frame, Function, Scope
from .values import Ufunc, converted, folded, number

_FULL_WARP = 0xFFFFFFFF


def _rsqrt(x: Any) -> Any:
    return np.reciprocal(np.sqrt(x))


_FLOATING: dict[str, tuple[Ufunc, int]] = {
    "exp": (np.exp, 1), "exp2": (np.exp2, 1), "log": (np.log, 1), "log2": (np.log2, 1), "log10": (np.log10, 1),
    "log1p": (np.log1p, 1), "expm1": (np.expm1, 1), "tanh": (np.tanh, 1), "sin": (np.sin, 1), "cos": (np.cos, 1),
    "sqrt": (np.sqrt, 1), "rsqrt": (_rsqrt, 1), "floor": (np.floor, 1), "ceil": (np.ceil, 1), "trunc": (np.trunc, 1),
    "fabs": (np.abs, 1), "fmax": (np.fmax, 2), "fmin": (np.fmin, 2), "copysign": (np.copysign, 2), "pow": (np.power, 2),
    "fmod": (np.fmod, 2),
}  # fmt: skip
_TESTS: dict[str, Ufunc] = {"isfinite": np.isfinite, "isnan": np.isnan, "isinf": np.isinf}
_EITHER: dict[str, tuple[Ufunc, int]] = {"min": (np.fmin, 2), "max": (np.fmax, 2), "abs": (np.abs, 1)}
_SHUFFLES = {"__shfl_sync": "", "__shfl_down_sync": "_down", "__shfl_xor_sync": "_xor"}


def call(name: str, arguments: list[Expr], scope: Scope, line: int) -> Expr:
    """The compiled call; raises CompileError for an unknown function or wrong arguments."""
    if name == "__syncthreads":
        _count(name, arguments, 0, line)
        return Expr(None, lambda f, m: f.batch.barrier(m, line))
    if name in _SHUFFLES:
        return _shuffle(name, arguments, line)
    if name in _TESTS:
        return _test(name, arguments, line)
    if name in _EITHER:
        return _either(name, arguments, line)
    if name in _FLOATING or name.removesuffix("f") in _FLOATING:
        return _mathematics(name, arguments, line)
    return _device(scope.program.function(name, line), arguments, line)


def _count(name: str, arguments: list[Expr], wanted: int, line: int) -> None:
    if len(arguments) != wanted:
        raise CompileError(f"{name} takes {wanted} arguments, not {len(arguments)}", line=line)


def _mapped(operation: Ufunc, kind: Number, result: Number, arguments: list[Expr], line: int) -> Expr:
    arguments = [converted(argument, kind, line) for argument in arguments]
    runs = [argument.run for argument in arguments]
    if len(runs) == 1:
        only = runs[0]
        return folded(result, lambda f, m: operation(only(f, m)), *arguments)
    first, second = runs
    return folded(result, lambda f, m: operation(first(f, m), second(f, m)), *arguments)


def _mathematics(name: str, arguments: list[Expr], line: int) -> Expr:
    """CUDA's overloads: float of floats, double of anything else; the forms with an f are of float."""
    single = name not in _FLOATING
    operation, wanted = _FLOATING[name.removesuffix("f") if single else name]
    _count(name, arguments, wanted, line)
    kind = FLOAT if single or all(number(argument, line) == FLOAT for argument in arguments) else DOUBLE
    return _mapped(operation, kind, kind, arguments, line)


def _test(name: str, arguments: list[Expr], line: int) -> Expr:
    _count(name, arguments, 1, line)
    kind = number(arguments[0], line)
    return _mapped(_TESTS[name], kind if kind.floating else DOUBLE, BOOL, arguments, line)


def _either(name: str, arguments: list[Expr], line: int) -> Expr:
    operation, wanted = _EITHER[name]
    _count(name, arguments, wanted, line)
    kind = promoted(number(arguments[0], line))
    for argument in arguments[1:]:
        kind = common(kind, number(argument, line))
    return _mapped(operation, kind, kind, arguments, line)


def _shuffle(name: str, arguments: list[Expr], line: int) -> Expr:
    _count(name, arguments, 3, line)
    who, value, by = arguments
    if who.const is None or int(converted(who, UINT, line).const) != _FULL_WARP:
        raise CompileError(f"{name} of the full mask 0xffffffff only is in the subset", line=line)
    kind, how = promoted(number(value, line)), _SHUFFLES[name]
    value, by = converted(value, kind, line), converted(by, INT, line)

    def run(f: Frame, m: Mask) -> Any:
        return f.batch.shuffle(how, value.run(f, m), by.run(f, m), m, line)

    return Expr(kind, run)


def _device(function: Function, arguments: list[Expr], line: int) -> Expr:
    if function.kernel:
        raise CompileError(f"the kernel {function.name} is called from the device", line=line)
    _count(function.name, arguments, len(function.parameters), line)
    kinds = [local.kind for local in function.parameters]
    runs = [converted(argument, kind, line).run for argument, kind in zip(arguments, kinds, strict=True) if kind]
    slots, width, body, returns = [local.slot for local in function.parameters], function.slots, function.body, function.result
    assert body is not None

    def run(f: Frame, m: Mask) -> Any:
        frame = Frame(f.batch, width)
        for slot, argument in zip(slots, runs, strict=True):
            frame.values[slot], frame.wide[slot] = argument(f, m), m
        left = body(frame, m)
        if returns is not None and left is not None:
            f.batch.fail(f"{function.name} ends without returning a value", line, int(left.lanes[0]))
        return frame.result

    return Expr(returns, run)
