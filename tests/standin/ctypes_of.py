"""The C types of the subset, CUDA's usual conversions between them, and literals.

It does not know expressions: only what type two types meet in, and how a value changes from one to another."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycparser import c_ast

from .faults import CompileError


@dataclass(frozen=True)
class Number:
    """An arithmetic type; the higher rank wins where two meet."""

    name: str
    dtype: np.dtype[Any]
    rank: int

    @property
    def floating(self) -> bool:
        return self.dtype.kind == "f"

    def value(self, plain: Any) -> Any:
        """`plain` as a scalar of this type, wrapped as C does."""
        return np.asarray(plain).astype(self.dtype)[()]


@dataclass(frozen=True)
class PointerTo:
    """A pointer to an arithmetic type; `const` is of what it points at."""

    to: Number
    const: bool

    @property
    def name(self) -> str:
        return f"{'const ' if self.const else ''}{self.to.name}*"


Type = Number | PointerTo | None  # None is void

BOOL = Number("bool", np.dtype(np.bool_), 0)
CHAR = Number("char", np.dtype(np.int8), 1)
UCHAR = Number("unsigned char", np.dtype(np.uint8), 1)
SHORT = Number("short", np.dtype(np.int16), 2)
USHORT = Number("unsigned short", np.dtype(np.uint16), 2)
INT = Number("int", np.dtype(np.int32), 3)
UINT = Number("unsigned int", np.dtype(np.uint32), 4)
LONG = Number("long long", np.dtype(np.int64), 5)
ULONG = Number("unsigned long long", np.dtype(np.uint64), 6)
FLOAT = Number("float", np.dtype(np.float32), 7)
DOUBLE = Number("double", np.dtype(np.float64), 8)

_SPELLINGS = {
    "_Bool": BOOL, "char": CHAR, "char signed": CHAR, "char unsigned": UCHAR, "short": SHORT, "short unsigned": USHORT,
    "int": INT, "signed": INT, "unsigned": UINT, "long long": LONG, "long long unsigned": ULONG,
    "float": FLOAT, "double": DOUBLE,
}  # fmt: skip


def promoted(kind: Number) -> Number:
    return INT if kind.rank < INT.rank else kind


def common(a: Number, b: Number) -> Number:
    """The type in which an operator meets two operands."""
    return promoted(a if a.rank >= b.rank else b)


def line_of(node: Any) -> int:
    return node.coord.line if getattr(node, "coord", None) is not None else 0


def declared(node: Any) -> Type:
    """The type of a declarator: void, a number, or a pointer to a number."""
    if isinstance(node, c_ast.Typename | c_ast.Decl):
        return declared(node.type)
    if isinstance(node, c_ast.PtrDecl):
        inner = node.type
        to = declared(inner)
        if not isinstance(to, Number):
            raise CompileError("only pointers to numbers are known", line=line_of(node))
        return PointerTo(to, const="const" in inner.quals)
    if isinstance(node, c_ast.TypeDecl) and isinstance(node.type, c_ast.IdentifierType):
        return _spelled(node.type.names, line_of(node))
    raise CompileError(f"a {type(node).__name__} is no type of the subset", line=line_of(node))


def _spelled(names: list[str], line: int) -> Type:
    if names == ["void"]:
        return None
    words = sorted(names)
    if len(words) > 1 and "int" in words:
        words.remove("int")
    kind = _SPELLINGS.get(" ".join(words))
    if kind is None:
        hint = "; `long` has other widths on other hosts" if "long" in words else ""
        raise CompileError(f"the type {' '.join(names)!r} is not in the subset{hint}", line=line)
    return kind


def literal(text: str, line: int) -> tuple[Number, Any]:
    """A number's type and value: `1.0f` is float, `1.0` double, a whole number the first type that holds it."""
    lowered = text.lower()
    hexadecimal = lowered.startswith("0x")
    if not hexadecimal and re.search(r"[.e]", lowered):
        kind = FLOAT if lowered.endswith("f") else DOUBLE
        return kind, kind.value(float(lowered.rstrip("fl")))
    found = re.fullmatch(r"(0x[0-9a-f]+|0[0-7]*|[0-9]+)(u?)(ll|)(u?)", lowered)
    if not found:
        raise CompileError(f"the literal {text} is not in the subset", line=line)
    digits, *suffix = found.groups()
    value = int(digits, 16 if hexadecimal else 8 if digits.startswith("0") else 10)
    unsigned, wide = "u" in "".join(suffix), "ll" in suffix
    kinds = [UINT, ULONG] if unsigned else [INT, UINT, LONG, ULONG] if digits.startswith("0") else [INT, LONG]
    for kind in kinds:
        if value <= np.iinfo(kind.dtype).max and not (wide and kind.rank < LONG.rank):
            return kind, kind.value(value)
    raise CompileError(f"the literal {text} fits no type", line=line)
