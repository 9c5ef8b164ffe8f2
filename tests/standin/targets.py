"""What can be assigned to: local variables, and elements behind pointers and in shared memory.

It does not know syntax: a target comes compiled, and whether an assignment is allowed is said here."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .ctypes_of import LONG, Number, PointerTo
from .faults import CompileError
from .lanes import Mask
from .memory import Pointer, SharedMemory, chosen
from .scopes import Expr, Frame, Local, Shared
from .values import converted, number

SHARED_BYTES = 48 * 1024


class Target(NamedTuple):
    """`locate` once, then load and store there; `refusal` says why a store is not allowed."""

    kind: Number | PointerTo
    locate: Callable[[Frame, Mask], Any]
    load: Callable[[Frame, Mask, Any], Any]
    store: Callable[[Frame, Mask, Any, Any], None]
    safe: bool = False
    refusal: str = ""

    def read(self) -> Expr:
        return Expr(self.kind, lambda f, m: self.load(f, m, self.locate(f, m)), safe=self.safe)


def local_target(symbol: Local, line: int) -> Target:
    slot, name, certain = symbol.slot, symbol.name, symbol.certain
    assert symbol.kind is not None

    def load(f: Frame, m: Mask, _: Any) -> Any:
        if not certain and f.written[slot] is not None:
            _check_written(f, m, f.written[slot], name, line)
        return f.values[slot]

    def store(f: Frame, m: Mask, _: Any, value: Any) -> None:
        _assign(f, m, slot, value, line)

    refusal = f"{name} is const" if symbol.const else ""
    return Target(symbol.kind, lambda f, m: None, load, store, certain, refusal)


def _check_written(f: Frame, m: Mask, written: np.ndarray, name: str, line: int) -> None:
    unwritten = m.unless(written)
    if unwritten is not None:
        f.batch.fail(f"reads {name}, a variable that has no value yet", line, int(unwritten.lanes[0]), name)


def _assign(f: Frame, m: Mask, slot: int, value: Any, line: int) -> None:
    """One value for all where all that ever see the variable are active, else an array with the others' kept."""
    old = f.values[slot]
    if m.count == f.wide[slot].count:
        f.values[slot], f.written[slot] = value, None
        return
    if f.written[slot] is not None:
        f.written[slot] = f.written[slot] | m.bits
    if old is None:
        f.values[slot] = value
    elif isinstance(value, Pointer):
        f.values[slot] = chosen(f.batch, m.bits, value, old, f.wide[slot], line)
    else:
        f.values[slot] = np.where(m.bits, value, old)


def element(pointer: Expr, index: Expr | None, line: int) -> Target:
    """pointer[index], or *pointer without an index."""
    if not isinstance(pointer.kind, PointerTo):
        raise CompileError("only pointers and shared arrays have elements", line=line)
    if index is not None and number(index, line).floating:
        raise CompileError("an index is a whole number", line=line)
    of, kind = pointer.run, pointer.kind
    at = converted(index, LONG, line).run if index is not None else None

    def locate(f: Frame, m: Mask) -> Any:
        where = of(f, m)
        memory = where.checked(f.batch, m, line)
        return memory, where.offset if at is None else at(f, m) + where.offset

    return Target(kind.to, locate, _loader(line), _storer(line), refusal=f"a {kind.name} is not written to" if kind.const else "")


def _loader(line: int) -> Callable[[Frame, Mask, Any], Any]:
    return lambda f, m, where: where[0].load(f.batch, where[1], m, line)


def _storer(line: int) -> Callable[[Frame, Mask, Any, Any], None]:
    return lambda f, m, where, value: where[0].store(f.batch, where[1], value, m, line)


def shared_pointer(symbol: Shared, line: int) -> Expr:
    """The array's name as a pointer to its first element: the copy of each thread's own block."""

    def run(f: Frame, m: Mask) -> Pointer:
        memory = f.batch.shared.get(symbol.key)
        if memory is None:
            memory = SharedMemory(symbol.name, symbol.kind.dtype, symbol.size, f.batch.place.blocks)
            f.batch.shared[symbol.key] = memory
            if sum(each.flat.nbytes for each in f.batch.shared.values()) > SHARED_BYTES * f.batch.place.blocks:
                f.batch.fail(f"more than {SHARED_BYTES:,} bytes of shared memory", line, int(m.lanes[0]), symbol.name)
        return Pointer(memory)

    return Expr(PointerTo(symbol.kind, const=False), run, safe=True)
