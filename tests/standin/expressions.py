"""From an expression's syntax to something that runs for all threads at once.

It does not know statements. A condition decides for whom the rest is evaluated, so `i < n && x[i]` never reads outside."""

from collections.abc import Callable
from typing import Any

import numpy as np
from pycparser import c_ast

from .calls import call
from .ctypes_of import BOOL, INT, UINT, ULONG, Number, PointerTo, common, declared, line_of, literal, promoted
from .faults import CompileError
from .lanes import Mask
from .memory import chosen
from .scopes import Expr, Frame, Local, Scope, Shared
from .targets import Target, element, local_target, shared_pointer
from .values import binary, constant, converted, folded, number, truth

_PLACES = ("threadIdx", "blockIdx", "blockDim", "gridDim")
_NAMED = {"true": (BOOL, True), "false": (BOOL, False), "nullptr": (INT, 0), "NULL": (INT, 0)}


def expression(node: Any, scope: Scope) -> Expr:
    """The compiled expression; raises CompileError for what the subset does not have."""
    compiler = _COMPILERS.get(type(node))
    if compiler is None:
        raise CompileError(f"{type(node).__name__} is not in the subset", line=line_of(node))
    return compiler(node, scope)


def condition(node: Any, scope: Scope) -> Expr:
    return truth(expression(node, scope), line_of(node))


def target(node: Any, scope: Scope) -> Target:
    """The compiled left side of an assignment."""
    line = line_of(node)
    if isinstance(node, c_ast.ArrayRef):
        return element(expression(node.name, scope), expression(node.subscript, scope), line)
    if isinstance(node, c_ast.UnaryOp) and node.op == "*":
        return element(expression(node.expr, scope), None, line)
    if isinstance(node, c_ast.ID):
        symbol = scope.find(node.name, line)
        if isinstance(symbol, Local):
            return local_target(symbol, line)
        if isinstance(symbol, Shared) and symbol.single:
            return element(shared_pointer(symbol, line), None, line)
    raise CompileError("this cannot be assigned to", line=line)


def _literal(node: Any, scope: Scope) -> Expr:
    if node.type in ("char", "string"):
        raise CompileError("characters and strings are not in the subset", line=line_of(node))
    return constant(*literal(node.value, line_of(node)))


def _name(node: Any, scope: Scope) -> Expr:
    if node.name in _NAMED:
        return constant(*_NAMED[node.name])
    symbol = scope.find(node.name, line_of(node))
    if isinstance(symbol, Expr):
        return symbol
    if isinstance(symbol, Shared) and not symbol.single:
        return shared_pointer(symbol, line_of(node))
    return target(node, scope).read()


def _read(node: Any, scope: Scope) -> Expr:
    return target(node, scope).read()


def _place(node: Any, scope: Scope) -> Expr:
    word, axis = getattr(node.name, "name", ""), node.field.name
    if word not in _PLACES or axis not in ("x", "y", "z") or node.type != ".":
        raise CompileError("of structures only threadIdx, blockIdx, blockDim and gridDim are known", line=line_of(node))
    number_of = "xyz".index(axis)
    return Expr(UINT, lambda f, m: f.batch.words[word][number_of], safe=True)


def _cast(node: Any, scope: Scope) -> Expr:
    inner, to = expression(node.expr, scope), declared(node.to_type)
    return inner if to is None else converted(inner, to, line_of(node))


def _call(node: Any, scope: Scope) -> Expr:
    if not isinstance(node.name, c_ast.ID):
        raise CompileError("only named functions are called", line=line_of(node))
    arguments = [expression(each, scope) for each in (node.args.exprs if node.args else [])]
    return call(node.name.name, arguments, scope, line_of(node))


def _list(node: Any, scope: Scope) -> Expr:
    parts = [expression(each, scope) for each in node.exprs]
    last = parts[-1].kind

    def run(f: Frame, m: Mask) -> Any:
        return [part.run(f, m) for part in parts][-1]

    return Expr(last, run)


def _unary(node: Any, scope: Scope) -> Expr:
    line, sign = line_of(node), node.op
    if sign == "sizeof":
        kind = declared(node.expr) if isinstance(node.expr, c_ast.Typename) else expression(node.expr, scope).kind
        return constant(ULONG, kind.dtype.itemsize if isinstance(kind, Number) else 8)
    if sign in ("++", "--", "p++", "p--"):
        return _step(node, scope)
    if sign == "*":
        return target(node, scope).read()
    if sign == "&":
        return _address(node, scope)
    inner = expression(node.expr, scope)
    if sign == "!":
        inner = truth(inner, line)
        return folded(BOOL, lambda f, m: np.logical_not(inner.run(f, m)), inner)
    kind = promoted(number(inner, line))
    if sign not in "+-~" or (sign == "~" and kind.floating):
        raise CompileError(f"the operator {sign} is not in the subset here", line=line)
    inner = converted(inner, kind, line)
    operation: Any = {"+": np.positive, "-": np.negative, "~": np.invert}[sign]
    return folded(kind, lambda f, m: operation(inner.run(f, m)), inner)


def _address(node: Any, scope: Scope) -> Expr:
    if not isinstance(node.expr, c_ast.ArrayRef):
        raise CompileError("only the address of an element may be taken", line=line_of(node))
    whole, index = expression(node.expr.name, scope), expression(node.expr.subscript, scope)
    return binary("+", whole, index, line_of(node))


def _and_or(node: Any, scope: Scope) -> Expr:
    """The right side is evaluated for those threads only whose left side leaves it open."""
    both = node.op == "&&"
    a, b = condition(node.left, scope), condition(node.right, scope)
    join: Any = np.logical_and if both else np.logical_or
    if b.safe:
        run = lambda f, m: join(a.run(f, m), b.run(f, m))  # noqa: E731
        return folded(BOOL, run, a, b)

    def stepwise(f: Frame, m: Mask) -> Any:
        left = a.run(f, m)
        open_for = m.where(left) if both else m.unless(left)
        return left if open_for is None else join(left, b.run(f, open_for))

    return Expr(BOOL, stepwise)


def _choice(node: Any, scope: Scope) -> Expr:
    line = line_of(node)
    test, a, b = condition(node.cond, scope), expression(node.iftrue, scope), expression(node.iffalse, scope)
    pointers = [each.kind for each in (a, b) if isinstance(each.kind, PointerTo)]
    kind: Number | PointerTo
    if pointers:
        kind = PointerTo(pointers[0].to, any(each.const for each in pointers))
    else:
        kind = number(a, line) if a.kind == b.kind else common(number(a, line), number(b, line))
    a, b = converted(a, kind, line), converted(b, kind, line)

    def run(f: Frame, m: Mask) -> Any:
        holds = test.run(f, m)
        yes, no = m.where(holds), m.unless(holds)
        if yes is None or no is None:
            return a.run(f, m) if no is None else b.run(f, m)
        first, second = a.run(f, yes), b.run(f, no)
        return chosen(f.batch, holds, first, second, m, line) if pointers else np.where(holds, first, second)

    if pointers or not (a.safe and b.safe):
        return Expr(kind, run)
    if test.const is not None:
        return a if test.const else b
    return Expr(kind, _blend(test, a, b), safe=test.safe)


def _blend(test: Expr, a: Expr, b: Expr) -> Callable[[Frame, Mask], Any]:
    def run(f: Frame, m: Mask) -> Any:
        holds = test.run(f, m)
        if not isinstance(holds, np.ndarray):
            return a.run(f, m) if holds else b.run(f, m)
        return np.where(holds, a.run(f, m), b.run(f, m))

    return run


def _assignment(node: Any, scope: Scope) -> Expr:
    line = line_of(node)
    to, value = target(node.lvalue, scope), expression(node.rvalue, scope)
    if node.op == "=":
        return _stored(to, converted(value, to.kind, line), line)
    held = _Held(to, scope)
    return held.stored(binary(node.op[:-1], held.old, value, line), line, after=True)


def _step(node: Any, scope: Scope) -> Expr:
    """++ and --, before and after."""
    line = line_of(node)
    held = _Held(target(node.expr, scope), scope)
    if held.to.kind == BOOL:
        raise CompileError(f"{node.op} is not for bool", line=line)
    return held.stored(binary(node.op[-1], held.old, constant(INT, 1), line), line, after=not node.op.startswith("p"))


def _stored(to: Target, value: Expr, line: int) -> Expr:
    if to.refusal:
        raise CompileError(to.refusal, line=line)

    def run(f: Frame, m: Mask) -> Any:
        new = value.run(f, m)
        to.store(f, m, to.locate(f, m), new)
        return new

    return Expr(to.kind, run)


class _Held:
    """A target whose old value the new one is made of, located once."""

    def __init__(self, to: Target, scope: Scope):
        self.to, self.slot = to, scope.slot()
        self.old = Expr(to.kind, lambda f, m: f.values[self.slot], safe=True)

    def stored(self, value: Expr, line: int, after: bool) -> Expr:
        to, slot, new = self.to, self.slot, converted(value, self.to.kind, line)
        if to.refusal:
            raise CompileError(to.refusal, line=line)

        def run(f: Frame, m: Mask) -> Any:
            where = to.locate(f, m)
            old = f.values[slot] = to.load(f, m, where)
            result = new.run(f, m)
            to.store(f, m, where, result)
            return result if after else old

        return Expr(to.kind, run)


def _binary(node: Any, scope: Scope) -> Expr:
    if node.op in ("&&", "||"):
        return _and_or(node, scope)
    return binary(node.op, expression(node.left, scope), expression(node.right, scope), line_of(node))


_COMPILERS: dict[type, Callable[[Any, Scope], Expr]] = {
    c_ast.Constant: _literal, c_ast.ID: _name, c_ast.ArrayRef: _read, c_ast.StructRef: _place, c_ast.Cast: _cast,
    c_ast.FuncCall: _call, c_ast.ExprList: _list, c_ast.UnaryOp: _unary, c_ast.BinaryOp: _binary,
    c_ast.TernaryOp: _choice, c_ast.Assignment: _assignment,
}  # fmt: skip
