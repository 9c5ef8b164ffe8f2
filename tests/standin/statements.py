"""From a statement's syntax to a step that takes the active threads and gives those that go on to the next statement.

It does not know expressions beyond their conditions; break, continue and return take threads out of the flow."""

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
from pycparser import c_ast

from .ctypes_of import Number, PointerTo, declared, line_of
from .expressions import condition, expression
from .faults import CompileError
from .lanes import Mask, union
from .scopes import Expr, Frame, Local, Scope, Shared, Step
from .values import binary, converted, number, truth

MOST_ROUNDS = 1_000_000
_keys = count()


def statement(node: Any, scope: Scope, result: Any) -> Step:
    """The compiled statement of a function that returns `result`."""
    simple = _SIMPLE.get(type(node))
    if simple is not None:
        return simple(node, scope, result)
    run = expression(node, scope).run

    def evaluate(f: Frame, m: Mask) -> Mask | None:
        run(f, m)
        return m

    return evaluate


def sequence(nodes: Sequence[Any], scope: Scope, result: Any) -> Step:
    steps = [statement(node, scope, result) for node in nodes]

    def run(f: Frame, m: Mask | None) -> Mask | None:
        for step in steps:
            if m is None:
                return None
            m = step(f, m)
        return m

    return run


def _block(node: Any, scope: Scope, result: Any) -> Step:
    with scope:
        return sequence(node.block_items or [], scope, result)


def _nothing(node: Any, scope: Scope, result: Any) -> Step:
    return lambda f, m: m


def _declarations(node: Any, scope: Scope, result: Any) -> Step:
    return sequence(node.decls, scope, result)


def _declaration(node: Any, scope: Scope, result: Any) -> Step:
    line = line_of(node)
    if "register" in node.storage:
        scope.declare(_shared(node, scope), line)
        return lambda f, m: m
    if isinstance(node.type, c_ast.ArrayDecl):
        raise CompileError("local arrays are not in the subset: only __shared__ ones", line=line)
    kind = declared(node)
    if kind is None or node.storage:
        raise CompileError(f"{node.name} cannot be declared so", line=line)
    value = converted(expression(node.init, scope), kind, line) if node.init is not None else None
    local = Local(node.name, kind, scope.slot(), _is_const(node, kind), certain=value is not None)
    scope.declare(local, line)
    return _declared(local.slot, value)


def _is_const(node: Any, kind: Number | PointerTo) -> bool:
    return "const" in (node.type.quals if isinstance(kind, PointerTo) else node.quals)


def _declared(slot: int, value: Expr | None) -> Step:
    def run(f: Frame, m: Mask) -> Mask | None:
        f.wide[slot] = m
        f.values[slot] = value.run(f, m) if value is not None else None
        f.written[slot] = None if value is not None else np.zeros(f.batch.width, bool)
        return m

    return run


def _shared(node: Any, scope: Scope) -> Shared:
    line, single = line_of(node), not isinstance(node.type, c_ast.ArrayDecl)
    size = 1 if single else _size(node.type.dim, scope, line)
    kind = declared(node.type if single else node.type.type)
    if not isinstance(kind, Number) or node.init is not None:
        raise CompileError("shared memory is of numbers, in one dimension, and has no first value", line=line)
    return Shared(node.name, kind, next(_keys), size, single)


def _size(node: Any, scope: Scope, line: int) -> int:
    size = expression(node, scope).const if node is not None else None
    if size is None or size < 1:
        raise CompileError("a shared array has a constant size above 0", line=line)
    return int(size)


def _if(node: Any, scope: Scope, result: Any) -> Step:
    test = condition(node.cond, scope).run
    with scope:
        then = statement(node.iftrue, scope, result)
    with scope:
        other = statement(node.iffalse, scope, result) if node.iffalse is not None else None

    def run(f: Frame, m: Mask) -> Mask | None:
        holds = test(f, m)
        yes = m.where(holds)
        no = None if yes is m else m.unless(holds)
        after_yes = then(f, yes) if yes is not None else None
        after_no = other(f, no) if no is not None and other is not None else no
        return m if after_yes is yes and after_no is no else union(after_yes, after_no)

    return run


def _loop(test: Expr | None, body: Step, after: Step | None, first: bool, line: int) -> Step:
    """`first` evaluates the test before the first round; threads leave by the test, by break and by return."""

    def run(f: Frame, m: Mask) -> Mask | None:
        outer = f.broken, f.continued
        f.broken, live, done = None, m, None
        for rounds in range(MOST_ROUNDS):
            if test is not None and (first or rounds):
                holds = test.run(f, live)
                done, staying = union(done, live.unless(holds)), live.where(holds)
            else:
                staying = live
            f.continued = None
            going = union(body(f, staying), f.continued) if staying is not None else None
            if going is None:
                break
            live = staying if going.count == staying.count else going
            if after is not None:
                after(f, live)
        else:
            f.batch.fail(f"a loop goes on after {MOST_ROUNDS:,} rounds", line, int(live.lanes[0]))
        done = union(done, f.broken)
        f.broken, f.continued = outer
        return m if done is not None and done.count == m.count else done

    return run


def _for(node: Any, scope: Scope, result: Any) -> Step:
    with scope:
        start = statement(node.init, scope, result) if node.init is not None else _nothing(node, scope, result)
        test = condition(node.cond, scope) if node.cond is not None else None
        after = statement(node.next, scope, result) if node.next is not None else None
        with scope:
            loop = _loop(test, statement(node.stmt, scope, result), after, True, line_of(node))

    def run(f: Frame, m: Mask) -> Mask | None:
        start(f, m)
        return loop(f, m)

    return run


def _while(node: Any, scope: Scope, result: Any) -> Step:
    with scope:
        body = statement(node.stmt, scope, result)
    return _loop(condition(node.cond, scope), body, None, isinstance(node, c_ast.While), line_of(node))


def _switch(node: Any, scope: Scope, result: Any) -> Step:
    """Threads enter at their case, fall through to the next one, and leave by break."""
    line = line_of(node)
    subject = expression(node.cond, scope)
    if number(subject, line).floating:
        raise CompileError("switch is for whole numbers", line=line)
    cases = node.stmt.block_items if isinstance(node.stmt, c_ast.Compound) else [node.stmt]
    slot, parts = scope.slot(), []
    held = Expr(subject.kind, lambda f, m: f.values[slot], safe=True)
    for case in cases or []:
        if not isinstance(case, c_ast.Case | c_ast.Default):
            raise CompileError("a switch holds cases only", line=line_of(case))
        with scope:
            parts.append((_label(case, held, scope), sequence(case.stmts or [], scope, result)))

    def run(f: Frame, m: Mask) -> Mask | None:
        outer, f.broken = f.broken, None
        f.values[slot] = subject.run(f, m)
        entries, rest = [], m
        for test, _ in parts:
            entry = rest.where(test.run(f, rest)) if rest is not None and test is not None else None
            rest = rest if entry is None else rest.unless(entry.bits)
            entries.append(entry)
        flow: Mask | None = None
        for entry, (test, body) in zip(entries, parts, strict=True):
            flow = union(flow, rest if test is None else entry)
            flow = body(f, flow) if flow is not None else None
        if all(test is not None for test, _ in parts):
            flow = union(flow, rest)
        flow = union(flow, f.broken)
        f.broken = outer
        return m if flow is not None and flow.count == m.count else flow

    return run


def _label(case: Any, held: Expr, scope: Scope) -> Expr | None:
    """Whether a thread enters at this case; None for the default."""
    if isinstance(case, c_ast.Default):
        return None
    label = expression(case.expr, scope)
    if label.const is None:
        raise CompileError("a case is a constant", line=line_of(case))
    return truth(binary("==", held, label, line_of(case)), line_of(case))


def _break(node: Any, scope: Scope, result: Any) -> Step:
    def run(f: Frame, m: Mask) -> Mask | None:
        f.broken = union(f.broken, m)

    return run


def _continue(node: Any, scope: Scope, result: Any) -> Step:
    def run(f: Frame, m: Mask) -> Mask | None:
        f.continued = union(f.continued, m)

    return run


def _return(node: Any, scope: Scope, result: Any) -> Step:
    line = line_of(node)
    if (node.expr is None) is not (result is None):
        raise CompileError("return and the function's type do not agree", line=line)
    if node.expr is None:
        return lambda f, m: None
    value = converted(expression(node.expr, scope), result, line).run

    def run(f: Frame, m: Mask) -> Mask | None:
        given = value(f, m)
        f.result = given if f.result is None else np.where(m.bits, given, f.result)

    return run


_SIMPLE: dict[type, Callable[[Any, Scope, Any], Step]] = {
    c_ast.Compound: _block, c_ast.EmptyStatement: _nothing, c_ast.DeclList: _declarations, c_ast.Decl: _declaration,
    c_ast.If: _if, c_ast.For: _for, c_ast.While: _while, c_ast.DoWhile: _while, c_ast.Switch: _switch,
    c_ast.Break: _break, c_ast.Continue: _continue, c_ast.Return: _return,
}  # fmt: skip
