"""What a name means while a function is compiled, and the frame in which its threads keep their variables.

It does not know syntax: symbols are declared and looked up by others."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from .ctypes_of import Number, Type
from .faults import CompileError
from .lanes import Batch, Mask


class Frame:
    """One call of a function by the threads of a batch.

    A variable is one scalar for all threads or an array with one element for each; `wide` is the mask under which it was
    declared, `written` the threads that gave it a value, or None where all have.
    """

    __slots__ = ("batch", "broken", "continued", "result", "values", "wide", "written")

    def __init__(self, batch: Batch, slots: int):
        self.batch = batch
        self.values: list[Any] = [None] * slots
        self.wide: list[Any] = [None] * slots
        self.written: list[Any] = [None] * slots
        self.broken: Mask | None = None
        self.continued: Mask | None = None
        self.result: Any = None


Run = Callable[[Frame, Mask], Any]
Step = Callable[[Frame, Mask], Mask | None]


class Expr(NamedTuple):
    """A compiled expression; `safe` where it may be evaluated for inactive threads too."""

    kind: Type
    run: Run
    const: Any = None
    safe: bool = False


@dataclass(frozen=True)
class Local:
    """A local variable; `certain` where its declaration gave it a value."""

    name: str
    kind: Type
    slot: int
    const: bool = False
    certain: bool = True


@dataclass(frozen=True)
class Shared:
    """A __shared__ array, or a single shared variable."""

    name: str
    kind: Number
    key: int
    size: int
    single: bool


@dataclass
class Function:
    """A compiled kernel or device function; `line` is where it is first declared."""

    name: str
    result: Type
    parameters: list[Local]
    kernel: bool
    line: int
    slots: int = 0
    body: Step | None = None


class Program(Protocol):
    """What a scope asks of the module it is compiled in."""

    constants: dict[str, Expr]

    def function(self, name: str, line: int) -> Function: ...


@dataclass
class Scope:
    """The names in sight within one function."""

    program: Program
    slots: int = 0
    names: list[dict[str, Local | Shared]] = field(default_factory=lambda: [{}])

    def slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    def declare(self, symbol: Local | Shared, line: int) -> None:
        if symbol.name in self.names[-1]:
            raise CompileError(f"{symbol.name} is declared twice", line=line)
        self.names[-1][symbol.name] = symbol

    def find(self, name: str, line: int) -> Local | Shared | Expr:
        for names in reversed(self.names):
            if name in names:
                return names[name]
        if name in self.program.constants:
            return self.program.constants[name]
        raise CompileError(f"{name} is not declared", line=line)

    def __enter__(self) -> None:
        self.names.append({})

    def __exit__(self, *_: object) -> None:
        self.names.pop()
