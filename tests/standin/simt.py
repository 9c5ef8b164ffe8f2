"""A lockstep emulator of a subset of CUDA C: compiled once from its text, then run on NumPy arrays, checked at every access.

It does not know what a kernel is for, nor a GPU's speed, its order of blocks or its fused multiply-adds: those are checked
for races instead. Floating results agree with CUDA's to rounding."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from pycparser import c_ast
from pycparser.c_parser import CParser, ParseError

from .ctypes_of import BOOL, DOUBLE, LONG, Number, PointerTo, declared, line_of
from .expressions import expression
from .faults import CompileError, Index3, KernelError
from .lanes import Batch, Places, places, three
from .memory import Memory, Pointer, bound
from .preprocess import preprocess
from .scopes import Expr, Frame, Function, Local, Scope
from .statements import statement
from .values import converted

MOST_THREADS = 1024
SIDE_BY_SIDE = 65_536
_CACHED = 16_384


@lru_cache(maxsize=64)
def compiled(source: str, options: tuple[str, ...] = ()) -> "Module":
    """The module of this text, compiled at most once."""
    return Module(source, options)


class Module:
    """The kernels of one source text; raises CompileError where the text is outside the subset."""

    def __init__(self, source: str, options: Sequence[str] = ()):
        self.constants: dict[str, Expr] = {}
        self._functions: dict[str, Function] = {}
        self._open: list[str] = []
        self.mangled: set[str] = set()
        self._definitions: dict[str, Any] = {}
        self._first_lines: dict[str, int] = {}
        for node in _parsed(preprocess(source, options)):
            self._take(node)
        for name, node in self._definitions.items():
            self.function(name, line_of(node.decl))

    @property
    def names(self) -> list[str]:
        return [name for name, function in self._functions.items() if function.kernel]

    def kernel(self, name: str) -> "Kernel":
        """The kernel of that name; raises KeyError where there is none."""
        function = self._functions[name]
        if not function.kernel:
            raise KeyError(name)
        return Kernel(function)

    def function(self, name: str, line: int) -> Function:
        """The compiled function, for a call in `line`."""
        if self._first_lines.get(name, line + 1) > line:
            raise CompileError(f"the function {name} is not known here", line=line)
        if name in self._open:
            raise CompileError(f"{name} calls itself: recursion is not in the subset", line=line)
        if name not in self._functions:
            if name not in self._definitions:
                raise CompileError(f"the function {name} has no body", line=line)
            self._open.append(name)
            self._functions[name] = self._compiled(self._definitions[name])
            self._open.pop()
        return self._functions[name]

    def _take(self, node: Any) -> None:
        """Note a definition, a declaration or a constant of the file."""
        declaration = node.decl if isinstance(node, c_ast.FuncDef) else node
        line = line_of(node)
        if not isinstance(declaration, c_ast.Decl):
            raise CompileError(f"{type(node).__name__} is not in the subset", line=line)
        if isinstance(declaration.type, c_ast.FuncDecl):
            self._first_lines.setdefault(declaration.name, line_of(declaration))
            if isinstance(node, c_ast.FuncDef):
                self._define(node, line)
        elif "const" in declaration.quals and declaration.init is not None and not declaration.storage:
            self._constant(declaration, line)
        else:
            raise CompileError("of variables outside functions only constants are in the subset", line=line)

    def _define(self, node: Any, line: int) -> None:
        name = node.decl.name
        if name in self._definitions:
            raise CompileError(f"{name} is defined twice", line=line)
        if "auto" in node.decl.storage:
            self.mangled.add(name)
        self._definitions[name] = node

    def _constant(self, node: Any, line: int) -> None:
        kind = declared(node)
        value = converted(expression(node.init, Scope(self)), kind, line) if isinstance(kind, Number) else None
        if value is None or value.const is None:
            raise CompileError(f"{node.name} is not a constant number", line=line)
        self.constants[node.name] = value

    def _compiled(self, node: Any) -> Function:
        declaration, line = node.decl, line_of(node.decl)
        kernel = bool({"extern", "auto"} & set(declaration.storage))
        if not kernel and "static" not in declaration.storage:
            raise CompileError(f"{declaration.name} is neither __global__ nor __device__", line=line)
        scope = Scope(self)
        result = declared(declaration.type.type)
        if (kernel and result is not None) or isinstance(result, PointerTo):
            raise CompileError(f"{declaration.name} cannot return that: a kernel returns void, no function a pointer", line=line)
        parameters = [_parameter(each, scope) for each in _listed(declaration.type.args)]
        body = statement(node.body, scope, result)
        return Function(declaration.name, result, parameters, kernel, line, scope.slots, body)


def _parsed(text: str) -> list[Any]:
    parser = CParser()
    try:
        return list(parser.parse(text, "kernels").ext)
    except ParseError as error:
        place, _, rest = str(error).removeprefix("kernels:").partition(":")
        line = int(place) if place.isdigit() else getattr(parser.clex, "_lineno", 0)
        raise CompileError(f"not C of the subset: {rest.strip()}", line=line) from None


def _listed(arguments: Any) -> list[Any]:
    parameters = arguments.params if arguments is not None else []
    empty = len(parameters) == 1 and isinstance(parameters[0], c_ast.Typename)
    return [] if empty else parameters


def _parameter(node: Any, scope: Scope) -> Local:
    line = line_of(node)
    if not isinstance(node, c_ast.Decl):
        raise CompileError("every parameter has a name and a type", line=line)
    kind = declared(node)
    if kind is None:
        raise CompileError(f"{node.name} is void", line=line)
    const = "const" in (node.type.quals if isinstance(kind, PointerTo) else node.quals)
    local = Local(node.name, kind, scope.slot(), const)
    scope.declare(local, line)
    return local


class Kernel:
    """A kernel to launch: `kernel(grid, block, args)`; raises KernelError at the first thing a GPU would not define."""

    def __init__(self, function: Function):
        self.function, self.name = function, function.name

    def __call__(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any]) -> None:
        self.prepared(grid, block, args)()

    def prepared(self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any]) -> Callable[[], None]:
        """The launch, its arguments checked, to be run later."""
        shape = three(grid), three(block)
        self._check_shape(*shape)
        values = self._values(args)
        return lambda: self._launch(*shape, values)

    def _launch(self, grid: Index3, block: Index3, values: list[Any]) -> None:
        size = block[0] * block[1] * block[2]
        blocks, each = grid[0] * grid[1] * grid[2], max(1, SIDE_BY_SIDE // size)
        kept = blocks * size <= _CACHED
        with np.errstate(all="ignore"):
            for first in range(0, blocks, each):
                shape = grid, block, first, min(first + each, blocks)
                self._run(places(*shape) if kept else Places(*shape), values)

    def _run(self, place: Places, values: list[Any]) -> None:
        frame = Frame(Batch(self.name, place), self.function.slots)
        for local, value in zip(self.function.parameters, values, strict=True):
            frame.values[local.slot], frame.wide[local.slot] = value, place.everyone
        assert self.function.body is not None
        self.function.body(frame, place.everyone)

    def _check_shape(self, grid: Index3, block: Index3) -> None:
        size = block[0] * block[1] * block[2]
        if min(block) < 1 or size > MOST_THREADS or block[2] > 64:
            raise KernelError(f"a block of {block} threads: 1 to {MOST_THREADS} are possible", kernel=self.name)
        if min(grid) < 1 or grid[0] >= 2**31 or max(grid[1:]) >= 2**16:
            raise KernelError(f"a grid of {grid} blocks is not possible", kernel=self.name)

    def _values(self, args: Sequence[Any]) -> list[Any]:
        parameters = self.function.parameters
        if len(args) != len(parameters):
            raise KernelError(f"takes {len(parameters)} arguments, was given {len(args)}", kernel=self.name)
        values: list[Any] = [None] * len(args)
        arrays: list[tuple[int, str, PointerTo, np.ndarray]] = []
        for i, (local, given) in enumerate(zip(parameters, args, strict=True)):
            if not isinstance(local.kind, PointerTo):
                assert local.kind is not None
                values[i] = _scalar(self.name, local.name, local.kind, given)
            elif given is None or (type(given) in (int, np.int64, np.uint64) and given == 0):
                values[i] = Pointer(None, name=local.name)
            else:
                arrays.append((i, local.name, local.kind, _array(self.name, local.name, local.kind, given)))
        memories: list[Memory] = bound(self.name, [each[1:] for each in arrays])
        for (i, *_), memory in zip(arrays, memories, strict=True):
            values[i] = Pointer(memory)
        return values


def _scalar(kernel: str, name: str, kind: Number, given: Any) -> Any:
    """By the bytes CuPy would send: a Python int is long long, a Python float double, a NumPy scalar what it is."""
    plain = {int: LONG.dtype, float: DOUBLE.dtype, bool: BOOL.dtype}.get(type(given))
    dtype = plain or (given.dtype if isinstance(given, np.generic) else None)
    if dtype != kind.dtype:
        raise KernelError(f"{name} is {kind.name} and was given {given!r}, a {type(given).__name__}", kernel=kernel, array=name)
    return kind.dtype.type(given)


def _array(kernel: str, name: str, kind: PointerTo, given: Any) -> np.ndarray:
    """The flat memory of an argument: a NumPy array, or what has one as `flat_memory`."""
    array = getattr(given, "flat_memory", given)
    if not isinstance(array, np.ndarray):
        raise KernelError(f"{name} is {kind.name} and was given a {type(given).__name__}", kernel=kernel, array=name)
    if array.dtype != kind.to.dtype:
        raise KernelError(f"{name} is {kind.name} and was given an array of {array.dtype}", kernel=kernel, array=name)
    if not array.flags.c_contiguous or not (array.flags.writeable or kind.const):
        raise KernelError(f"{name} was given an array that is not contiguous and writable", kernel=kernel, array=name)
    return array.reshape(-1)
