"""Translate CUDA C to Python: each function becomes one of a single thread, which yields at barriers and shuffles.

Integers become Python integers, which are kept within their type; doubles become Python floats, and floats NumPy's.
Variables get a number, so that equal names of two scopes differ. Assignments are statements, not expressions."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from pycparser import CParser, c_ast
from pycparser.c_parser import ParseError

from . import c_types as c
from .errors import CompileError, KernelError
from .memory import null_pointer
from .preprocess import preprocess

FILE_NAME = "<CUDA kernels>"
_INDEXES = ("threadIdx", "blockIdx", "blockDim", "gridDim")
_SHUFFLES = ("__shfl_sync", "__shfl_down_sync", "__shfl_xor_sync")
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_INTEGER_OPERATORS = ("%", "&", "|", "^", "<<", ">>")
_FLOATING = re.compile(r"(?=.*[.e])(\d+\.?\d*|\.\d+)(e[-+]?\d+)?f?")
_INTEGER = re.compile(r"(0x[0-9a-f]+|0|[1-9]\d*)(u?)(ll|)")


class Expr(NamedTuple):
    """Python text of an expression, its type in C, and its value if that is constant."""

    text: str
    kind: c.Type
    value: Any = None


@dataclass
class Function:
    """A translated function; `yields` says that it is a generator since it may wait for other threads."""

    result: c.Type
    kernel: bool
    c_linkage: bool
    parameters: list[tuple[str, c.Number | c.PointerTo]] = field(default_factory=list)
    yields: bool = False


class Module:
    """The functions of one source file; raises CompileError for anything outside the subset."""

    def __init__(self, source: str, options: Sequence[str] = ()):
        self.functions: dict[str, Function] = {}
        self.environment: dict[str, Any] = {**c.ENVIRONMENT, "null": null_pointer("the pointer")}
        self.lines: list[str] = []
        self.c_lines: list[int] = []
        """The line of the source that each line of Python comes from."""
        self.numbers = count(1)
        for node in _parsed(preprocess(source, options)):
            if not isinstance(node, c_ast.FuncDef):
                raise CompileError("only functions are defined outside of functions", line=_line(node))
            _Translator(self, node).translate()
        exec(compile("\n".join(self.lines), FILE_NAME, "exec"), self.environment)

    def constant(self, kind: c.Number, value: Any) -> Expr:
        """Return an expression of that value, converted as C does."""
        value = np.float32(value) if kind == c.FLOAT else kind.type(value).item()
        if kind.kind != "f":
            return Expr(str(value), kind, value)
        name = f"constant_{next(self.numbers)}"
        self.environment[name] = value
        return Expr(name, kind, value)


def _parsed(text: str) -> list[Any]:
    parser = CParser()
    try:
        return list(parser.parse(text, "kernels").ext)
    except ParseError as error:
        found = re.match(r"kernels:(\d+)", str(error))
        raise CompileError(f"not C of the subset: {error}", line=int(found[1]) if found else parser.clex._lineno) from None


def _line(node: Any) -> int:
    return node.coord.line if getattr(node, "coord", None) is not None else 0


class _Translator:
    """The translation of one function: statements append lines to the module, expressions return text."""

    def __init__(self, module: Module, node: Any):
        self.module, self.node, self.depth, self.line = module, node, 0, _line(node.decl)
        self.scopes: list[dict[str, tuple[Expr, bool]]] = [{}]
        """The variables of each scope, innermost last: their Python names, and whether they are const."""

    def translate(self) -> None:
        declaration = self.node.decl
        storage, name, result = set(declaration.storage), declaration.name, self.declared(declaration.type.type)
        if not storage & {"extern", "auto", "static"}:
            raise self.error(f"{name} is neither __global__ nor __device__")
        self.function = Function(result, kernel="static" not in storage, c_linkage="extern" in storage)
        if (self.function.kernel and result is not None) or isinstance(result, c.PointerTo):
            raise self.error(f"{name} cannot return that: a kernel returns void, no function a pointer")
        names = ["launch"]
        for parameter in declaration.type.args.params if declaration.type.args else []:
            kind = self.declared(parameter)
            if kind is None or parameter.name is None:
                raise self.error("every parameter has a name and a type")
            names.append(self.declare(parameter, kind))
            self.function.parameters.append((parameter.name, kind))
        self.emit(f"def {name}_({', '.join(names)}):")
        with self.block():
            self.statement(self.node.body)
            if result is not None:
                self.emit(f"fail({f'{name} ends without returning a value'!r})")
        self.module.functions[name] = self.function

    # ── what statements and expressions need ──

    def error(self, message: str) -> CompileError:
        return CompileError(message, line=self.line)

    def emit(self, text: str) -> None:
        self.module.lines.append("    " * self.depth + text)
        self.module.c_lines.append(self.line)

    @contextmanager
    def scope(self) -> Iterator[None]:
        self.scopes.append({})
        yield
        self.scopes.pop()

    @contextmanager
    def block(self) -> Iterator[None]:
        """An indented block, which is a scope as well."""
        self.depth += 1
        before = len(self.module.lines)
        with self.scope():
            yield
        if len(self.module.lines) == before:
            self.emit("pass")
        self.depth -= 1

    def declare(self, node: Any, kind: c.Number | c.PointerTo, const: bool | None = None) -> str:
        if node.name in self.scopes[-1]:
            raise self.error(f"{node.name} is declared twice")
        if const is None:
            const = "const" in (node.type.quals if isinstance(kind, c.PointerTo) else node.quals)
        text = f"{node.name}_{next(self.module.numbers)}"
        self.scopes[-1][node.name] = Expr(text, kind), const
        return text

    def variable(self, name: str) -> tuple[Expr, bool]:
        for names in reversed(self.scopes):
            if name in names:
                return names[name]
        raise self.error(f"{name} is not declared")

    def declared(self, node: Any) -> c.Type:
        """Return the type of a declarator: void, a number, or a pointer to numbers."""
        if isinstance(node, c_ast.Typename | c_ast.Decl):
            return self.declared(node.type)
        if isinstance(node, c_ast.PtrDecl) and isinstance(to := self.declared(node.type), np.dtype):
            return c.PointerTo(to, "const" in node.type.quals)
        names = node.type.names if isinstance(node, c_ast.TypeDecl) and isinstance(node.type, c_ast.IdentifierType) else []
        if names != ["void"] and " ".join(names) not in c.SPELLINGS:
            raise self.error(f"the type {' '.join(names) or type(node).__name__} is not in the subset")
        return c.SPELLINGS.get(" ".join(names))

    def number(self, expr: Expr, integer: bool = False) -> c.Number:
        """Return the expression's type; raise CompileError if that is not a number or, if it must be one, no integer."""
        if expr.kind is None or isinstance(expr.kind, c.PointerTo) or (integer and expr.kind.kind == "f"):
            raise self.error(f"{'an integer' if integer else 'a number'} is needed here, not {c.type_name(expr.kind)}")
        return expr.kind

    def folded(self, kind: c.Number, text: str, *operands: Expr) -> Expr:
        """Return the expression, evaluated now if its operands are constant."""
        if any(operand.value is None for operand in operands):
            return Expr(text, kind)
        try:
            with np.errstate(all="ignore"):
                return self.module.constant(kind, eval(text, self.module.environment))
        except KernelError as error:
            raise self.error(error.message) from None

    def converted(self, expr: Expr, to: c.Type) -> Expr:
        """Return the expression in another type, as C converts on assignment."""
        source, text = expr.kind, expr.text
        if source == to:
            return expr
        if isinstance(to, c.PointerTo) and source == c.PointerTo(to.to, const=False):
            return expr._replace(kind=to)
        if isinstance(to, c.PointerTo) and source == c.INT and expr.value == 0:
            return Expr("null", to)
        if isinstance(source, c.PointerTo) and to == c.BOOL:
            return Expr(f"(not {text}.is_null)", c.BOOL)
        if to is None or source is None or isinstance(to, c.PointerTo) or isinstance(source, c.PointerTo):
            raise self.error(f"{c.type_name(source)} does not become {c.type_name(to)}")
        if to == c.BOOL:
            text = f"bool({text})"
        elif to.kind == "u" and source.kind != "f" and (source.kind == "i" or source.itemsize > to.itemsize):
            text = f"({text} & {2 ** (8 * to.itemsize) - 1})"
        elif to.kind == "f" or source.kind == "f" or to.itemsize <= source.itemsize:
            text = f"{to.name}({text})"
        elif source == c.BOOL:
            text = f"int({text})"
        return self.folded(to, text, expr)

    # ── statements ──

    def all(self, nodes: Sequence[Any]) -> None:
        for node in nodes:
            self.statement(node)

    def statement(self, node: Any) -> None:
        """Translate one statement; raise CompileError if it is outside the subset."""
        self.line = _line(node) or self.line
        match node:
            case c_ast.Compound():
                with self.scope():
                    self.all(node.block_items or [])
            case c_ast.DeclList(decls=nodes) | c_ast.ExprList(exprs=nodes):
                self.all(nodes)
            case c_ast.Decl():
                self.declaration(node)
            case c_ast.If():
                self.emit(f"if {self.condition(node.cond)}:")
                with self.block():
                    self.statement(node.iftrue)
                if node.iffalse is not None:
                    self.emit("else:")
                    with self.block():
                        self.statement(node.iffalse)
            case c_ast.For():
                with self.scope():
                    self.statement(node.init or c_ast.EmptyStatement())
                    self.loop(node.cond, node.stmt, node.next or c_ast.EmptyStatement())
            case c_ast.While():
                self.loop(node.cond, node.stmt, c_ast.EmptyStatement())
            case c_ast.Switch():
                self.switch(self.expression(node.cond), node.stmt.block_items or [])
            case c_ast.Break():
                self.emit("break")
            case c_ast.Return():
                result = self.function.result
                if (node.expr is None) is not (result is None):
                    raise self.error("`return` and the function's type do not agree")
                self.emit("return" if result is None else f"return {self.converted(self.expression(node.expr), result).text}")
            case c_ast.Assignment():
                self.assign(node.lvalue, node.op[:-1], self.expression(node.rvalue))
            case c_ast.UnaryOp(op="++" | "--" | "p++" | "p--"):
                self.assign(node.expr, node.op[-1], self.module.constant(c.INT, 1))
            case c_ast.EmptyStatement():
                pass
            case _:
                self.emit(self.expression(node).text)

    def declaration(self, node: Any) -> None:
        shared = "register" in node.storage
        if isinstance(node.type, c_ast.ArrayDecl) != shared or (shared and node.init is not None):
            raise self.error("the only arrays are __shared__ ones of one dimension, without initial values")
        kind = self.declared(node.type.type if shared else node)
        if shared:
            size = self.expression(node.type.dim).value if node.type.dim is not None else None
            if not isinstance(kind, np.dtype) or not isinstance(size, int) or size < 1:
                raise self.error("a shared array has a type of number and a constant size above 0")
            text = self.declare(node, c.PointerTo(kind, const=False), const=True)
            self.emit(f"{text} = launch.shared_array({node.name!r}, {kind.name!r}, {size}, {next(self.module.numbers)})")
        elif kind is None or node.storage:
            raise self.error(f"{node.name} cannot be declared like this")
        elif node.init is not None:
            value = self.converted(self.expression(node.init), kind).text
            self.emit(f"{self.declare(node, kind)} = {value}")
        else:
            text = self.declare(node, kind)
            self.emit(f"{text} = None; del {text}")  # in a loop it may have a value already

    def loop(self, condition: Any, body: Any, after: Any) -> None:
        self.emit("for _ in ROUNDS:")
        with self.block():
            if condition is not None:
                self.emit(f"if not {self.condition(condition)}: break")
            self.statement(body)
            self.statement(after)
        self.emit("else: fail('a loop goes on after 1,000,000 rounds')")

    def switch(self, subject: Expr, cases: Sequence[Any]) -> None:
        number = next(self.module.numbers)
        self.number(subject, integer=True)
        self.emit(f"subject_{number}, entered_{number} = {subject.text}, False")
        self.emit("for _ in ONCE:")
        with self.block():
            for case in cases:
                self.line = _line(case)
                if isinstance(case, c_ast.Default) and case is cases[-1]:
                    self.emit("if True:")
                elif isinstance(case, c_ast.Case) and isinstance(label := self.expression(case.expr).value, int):
                    self.emit(f"entered_{number} = entered_{number} or subject_{number} == {label}")
                    self.emit(f"if entered_{number}:")
                else:
                    raise self.error("a switch holds cases of constants, and then a default")
                with self.block():
                    self.all(case.stmts or [])

    def assign(self, target: Any, operator: str, value: Expr) -> None:
        """Emit `target operator= value`, or `target = value` without an operator."""
        if isinstance(target, c_ast.ID):
            variable, const = self.variable(target.name)
            if const:
                raise self.error(f"{target.name} is const")
            new = self.binary(operator, variable, value) if operator else value
            self.emit(f"{variable.text} = {self.converted(new, variable.kind).text}")
            return
        pointer, index, kind = self.element(target)
        if kind.const:
            raise self.error(f"a {c.type_name(kind)} is not written to")
        if operator:
            self.emit(f"to, at = {pointer}, {index}")
            pointer, index, value = "to", "at", self.binary(operator, Expr("to.read(at)", kind.to), value)
        self.emit(f"{pointer}.write({index}, {self.converted(value, kind.to).text}, {next(self.module.numbers)})")

    # ── expressions ──

    def condition(self, node: Any) -> str:
        return self.converted(self.expression(node), c.BOOL).text

    def element(self, node: Any) -> tuple[str, str, c.PointerTo]:
        """Return the texts of `pointer[index]`, and the pointer's type."""
        if not isinstance(node, c_ast.ArrayRef):
            raise self.error("only variables and elements of arrays are in the subset here")
        pointer, index = self.expression(node.name), self.expression(node.subscript)
        if not isinstance(pointer.kind, c.PointerTo):
            raise self.error("only pointers and shared arrays have elements")
        self.number(index, integer=True)
        return pointer.text, index.text, pointer.kind

    def expression(self, node: Any) -> Expr:
        """Translate one expression; raise CompileError if it is outside the subset."""
        match node:
            case c_ast.Constant():
                return self.literal(node.value.lower())
            case c_ast.ID():
                return self.variable(node.name)[0]
            case c_ast.ArrayRef():
                pointer, index, kind = self.element(node)
                return Expr(f"{pointer}.read({index})", kind.to)
            case c_ast.StructRef(name=c_ast.ID(name=word), type=".", field=c_ast.ID(name="x" | "y" | "z" as axis)) if (
                word in _INDEXES
            ):
                return Expr(f"launch.{word}[{'xyz'.index(axis)}]", c.UINT)
            case c_ast.Cast():
                return self.converted(self.expression(node.expr), self.declared(node.to_type))
            case c_ast.UnaryOp(op="!"):
                inner = self.converted(self.expression(node.expr), c.BOOL)
                return self.folded(c.BOOL, f"(not {inner.text})", inner)
            case c_ast.UnaryOp(op="+" | "-" | "~"):
                inner = self.expression(node.expr)
                number = c.common(self.number(inner, integer=node.op == "~"))
                return self.within(number, f"({node.op}{self.converted(inner, number).text})", inner)
            case c_ast.BinaryOp(op="&&" | "||"):
                a, b = (self.converted(self.expression(each), c.BOOL) for each in (node.left, node.right))
                return self.folded(c.BOOL, f"({a.text} {'and' if node.op == '&&' else 'or'} {b.text})", a, b)
            case c_ast.BinaryOp():
                return self.binary(node.op, self.expression(node.left), self.expression(node.right))
            case c_ast.TernaryOp():
                test, a, b = self.condition(node.cond), self.expression(node.iftrue), self.expression(node.iffalse)
                number = c.common(self.number(a), self.number(b))
                return Expr(f"({self.converted(a, number).text} if {test} else {self.converted(b, number).text})", number)
            case c_ast.FuncCall(name=c_ast.ID(name=name)):
                return self.call(name, [self.expression(each) for each in (node.args.exprs if node.args else [])])
        raise self.error(f"{type(node).__name__} is not in the subset here")

    def literal(self, text: str) -> Expr:
        if _FLOATING.fullmatch(text):
            return self.module.constant(c.FLOAT if text.endswith("f") else c.DOUBLE, float(text.rstrip("f")))
        if found := _INTEGER.fullmatch(text):
            digits, unsigned, wide = found.groups()
            kinds = (c.UINT, c.ULONG) if unsigned else (c.INT, c.UINT, c.LONG, c.ULONG) if "x" in digits else (c.INT, c.LONG)
            for kind in kinds:
                if int(digits, 0) <= np.iinfo(kind).max and not (wide and kind.itemsize < c.LONG.itemsize):
                    return self.module.constant(kind, int(digits, 0))
        raise self.error(f"the literal {text} is not in the subset")

    def binary(self, operator: str, a: Expr, b: Expr) -> Expr:
        """Return `a operator b` with C's conversions."""
        if isinstance(b.kind, c.PointerTo):
            a, b = b, a
        if isinstance(a.kind, c.PointerTo):
            if operator in ("==", "!=") and b.value == 0:
                return Expr(f"({'not ' if operator == '!=' else ''}{a.text}.is_null)", c.BOOL)
            if operator != "+":
                raise self.error(f"{operator} of pointers is not in the subset")
            self.number(b, integer=True)
            return Expr(f"{a.text}.plus({b.text})", a.kind)
        integer = operator in _INTEGER_OPERATORS
        left, right = self.number(a, integer), self.number(b, integer)
        kind = c.common(left) if operator in ("<<", ">>") else c.common(left, right)
        a, b = self.converted(a, kind), self.converted(b, kind)
        if operator in _COMPARISONS:
            return self.folded(c.BOOL, f"({a.text} {operator} {b.text})", a, b)
        if operator == "%" or (operator == "/" and kind != c.FLOAT):
            name = "remainder" if operator == "%" else "divided" if kind == c.DOUBLE else "quotient"
            return self.folded(kind, f"{name}({a.text}, {b.text})", a, b)
        return self.within(kind, f"({a.text} {operator} {b.text})", a, b)

    def within(self, kind: c.Number, text: str, *operands: Expr) -> Expr:
        """Return the result of an operation: unsigned integers wrap, and an int must not overflow."""
        if kind.kind == "u":
            text = f"({text} & {2 ** (8 * kind.itemsize) - 1})"
        return self.folded(kind, f"int32({text})" if kind == c.INT else text, *operands)

    def call(self, name: str, arguments: list[Expr]) -> Expr:
        function = self.module.functions.get(name)
        sizes = {known: size for known, (_, size) in c.FUNCTIONS.items()} | {"__syncthreads": 0} | dict.fromkeys(_SHUFFLES, 3)
        wanted = len(function.parameters) if function else sizes.get(name)
        if wanted is None or (function and function.kernel):
            raise self.error(f"the device function {name} is not known")
        if len(arguments) != wanted:
            raise self.error(f"{name} takes {wanted} arguments, not {len(arguments)}")
        self.function.yields |= name == "__syncthreads" or name in _SHUFFLES or bool(function and function.yields)
        if name == "__syncthreads":
            return Expr(f"(yield {self.line})", None)
        if name in _SHUFFLES:
            mask, value, lane = arguments
            if mask.value != 0xFFFFFFFF:
                raise self.error(f"{name} is in the subset with the full mask 0xffffffff only")
            value = self.converted(value, c.common(self.number(value)))
            return Expr(f"(yield ({self.line}, {name!r}, {value.text}, {self.converted(lane, c.INT).text}))", value.kind)
        if function:
            kinds = [kind for _, kind in function.parameters]
            texts = [self.converted(argument, kind).text for argument, kind in zip(arguments, kinds, strict=True)]
            text = f"{name}_({', '.join(['launch', *texts])})"
            return Expr(f"(yield from {text})" if function.yields else text, function.result)
        kind = c.FLOAT if all(self.number(argument) == c.FLOAT for argument in arguments) else c.DOUBLE
        arguments = [self.converted(argument, kind) for argument in arguments]
        text = f"{name}({', '.join(argument.text for argument in arguments)})"
        return self.folded(c.BOOL if name in c.TESTS else kind, text, *arguments)
