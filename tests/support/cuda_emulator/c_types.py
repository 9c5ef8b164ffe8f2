"""The arithmetic types of CUDA C as NumPy dtypes, and the functions that the translated code calls."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np

from .errors import KernelError

Number = np.dtype[Any]
BOOL, INT, UINT, LONG, ULONG, FLOAT, DOUBLE = (
    np.dtype(name) for name in ("bool", "int32", "uint32", "int64", "uint64", "float32", "float64")
)
NAMES = {
    BOOL: "bool", INT: "int", UINT: "unsigned int", LONG: "long long", ULONG: "unsigned long long", FLOAT: "float",
    DOUBLE: "double",
}  # fmt: skip
SPELLINGS = {name: kind for kind, name in NAMES.items()} | {"_Bool": BOOL, "unsigned": UINT}


class PointerTo(NamedTuple):
    """A pointer to numbers; `const` says that they cannot be written through it."""

    to: Number
    const: bool


Type = Number | PointerTo | None
"""The type of a value; None is void."""


def common(*kinds: Number) -> Number:
    """Return the type in which an operator works on numbers of these types."""
    return max(INT, *kinds, key=list(NAMES).index)


def type_name(kind: Type) -> str:
    """Return the type's name in C."""
    if isinstance(kind, PointerTo):
        return f"{'const ' if kind.const else ''}{NAMES[kind.to]}*"
    return "void" if kind is None else NAMES[kind]


def _to_integer(kind: Number) -> Callable[[Any], int]:
    bounds = np.iinfo(kind)
    low, high, name = int(bounds.min), int(bounds.max), NAMES[kind]

    def convert(value: Any) -> int:
        if math.isfinite(value) and low <= (whole := int(value)) <= high:
            return whole
        raise KernelError(f"{value} does not fit {name}")

    return convert


def _quotient(a: int, b: int) -> int:
    if b == 0:
        raise KernelError("an integer is divided by zero")
    return a // b if (a < 0) == (b < 0) else -(-a // b)


def _divided(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        return float(np.divide(a, b))


def _fail(message: str) -> NoReturn:
    raise KernelError(message)


FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "exp": (np.exp, 1), "log": (np.log, 1), "log1p": (np.log1p, 1), "expm1": (np.expm1, 1), "tanh": (np.tanh, 1),
    "sqrt": (np.sqrt, 1), "fabs": (abs, 1), "fmax": (np.fmax, 2), "fmin": (np.fmin, 2), "pow": (np.power, 2),
    "isfinite": (math.isfinite, 1), "isnan": (math.isnan, 1), "isinf": (math.isinf, 1),
}  # fmt: skip
"""CUDA's mathematical functions, each with its number of arguments: of floats they give a float, else a double."""
TESTS = ("isfinite", "isnan", "isinf")
"""Those that give a bool."""
ENVIRONMENT: dict[str, Any] = {
    **{name: function for name, (function, _) in FUNCTIONS.items()},
    **{kind.name: _to_integer(kind) for kind in (INT, UINT, LONG, ULONG)},
    "float32": np.float32,
    "float64": float,
    "divided": _divided,
    "quotient": _quotient,
    "remainder": lambda a, b: a - _quotient(a, b) * b,
    "fail": _fail,
    "ROUNDS": range(1_000_000),
    "ONCE": range(1),
}
"""What the translated code sees besides its own functions."""
