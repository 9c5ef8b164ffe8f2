"""What the typed network costs, before anything runs: the ledger in a column, or folded into two lines.

It draws counts and knows none: every figure comes finished from the ledger.
"""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from tuisim.accounting import Ledger, Operations
from tuisim.accounting.operations import share
from tuisim.engine.memory_check import step_memory
from tuisim.program import Phase
from tuisim.terminal.columns import aligned, number, weight

COLUMNS = (("multiply", 11), ("add", 11), ("f", 7), ("f′", 7), ("other", 8))
PHASES = (Phase.FORWARD, Phase.LOSS, Phase.BACKWARD, Phase.UPDATE)

LEAST_WIDTH, MOST_WIDTH = 51, 76
FORMULA_WIDTH = 116
"""Cells from which on the single operations fit beside their formulas."""
MOST_ROWS = 24


class SetupLedger(Static):
    """Operations, volume and memory of the configuration as it is typed."""

    BINDING_GROUP_TITLE = "ledger"
    HELP = "Counted from the list of operations that would run: exact, and there before anything runs, for any size."

    ledger: reactive[Ledger | None] = reactive(None, layout=True)
    """None while a field that the counts depend on is wrong."""
    folded: reactive[bool] = reactive(False, layout=True)
    """Two lines instead of a column."""

    def __init__(self) -> None:
        super().__init__(id="ledger", markup=False)

    def render(self) -> Content:
        if self.ledger is None:
            return Content.styled("nothing to count until the fields marked ✗ are mended", "$secondary")
        if self.folded:
            return _folded(self.ledger, self.content_size.width)
        room = self.content_size.width
        width = min(max(LEAST_WIDTH, room), MOST_WIDTH)
        parts = [_operations(self.ledger, width), _volume(self.ledger, width), _memory(self.ledger, width)]
        if room >= FORMULA_WIDTH and len(self.ledger.rows) <= MOST_ROWS:
            parts.append(_step(self.ledger, room))
        return Content("\n\n").join(parts)


def headline(ledger: Ledger) -> Content:
    """The one number, and how far it is from the guess."""
    exact = share(ledger.step_total_without_loss.total, ledger.batch)
    return Content.assemble(
        (number(exact, 20), "bold $accent"),
        f" = {ledger.ratio_to_naive:.2f} × the naive ",
        number(ledger.naive, 20),
    )


def title(text: str, width: int, kind: str = "counted") -> Content:
    """A heading, a rule, and what kind of numbers stand beneath it."""
    mark = f" {kind}"
    rule = "─" * max(1, width - len(text) - len(mark) - 1)
    return Content.assemble((text, "bold"), " ", (rule, "$border-blurred"), (mark, "$secondary"))


def _operations(ledger: Ledger, width: int) -> Content:
    head = f"{'phase':<8}" + "".join(f"{name:>{wide}}" for name, wide in COLUMNS)
    lines = [title("operations per example", width), Content.styled(head, "$secondary")]
    cells = [_cells(ledger.per_step[phase], ledger.batch) for phase in PHASES]
    columns = [aligned([row[index] for row in cells], wide) for index, (_, wide) in enumerate(COLUMNS)]
    for line, phase in enumerate(PHASES):
        figures = "".join(column[line] for column in columns)
        style = "$secondary" if phase is Phase.LOSS else ""
        lines.append(Content.assemble((f"{phase.value:<8}", f"$phase-{phase.value}"), (figures, style)))
    lines.append(Content.assemble(("total   ", "bold"), headline(ledger)))
    with_loss = number(share(ledger.step_total.total, ledger.batch), 20)
    lines.append(Content.styled(f"        {with_loss} = {ledger.ratio_with_loss:.2f} × with the loss", "$secondary"))
    return Content("\n").join(lines)


def _cells(step: Operations, batch: int) -> tuple[int | float, ...]:
    other = step.divide + step.compare + step.exp + step.log + step.sqrt
    return tuple(share(value, batch) for value in (step.multiply, step.add, step.activation, step.derivative, other))


def _volume(ledger: Ledger, width: int) -> Content:
    epoch, run = _total(ledger.per_epoch), _total(ledger.run)
    of_epoch = "" if ledger.examples is None else f"{number(ledger.examples, 13)} examples"
    of_run = "until stopped" if ledger.epochs is None else f"{number(ledger.epochs, 13)} epochs"
    rows = [
        ("step", f"batch {number(ledger.batch, 13)}", number(ledger.step_total.total, 20)),
        ("epoch", of_epoch or "known once the file is read", number(epoch, 20)),
        ("whole run", of_run, number(run, 20)),
        ("bytes moved", "per step", weight(ledger.bytes_per_step)),
        ("intensity", "FLOPs per byte moved", f"{ledger.arithmetic_intensity:.3g}"),
    ]
    return Content("\n").join([title("operations of it all, loss included", width), *(_row(*row, width) for row in rows)])


def _total(phases: dict[Phase, Operations] | None) -> int | None:
    return None if phases is None else sum(operations.total for operations in phases.values())


def _memory(ledger: Ledger, width: int) -> Content:
    memory = step_memory(ledger.config, ledger.memory)
    rows = [
        ("parameters", number(ledger.parameters, 20), weight(memory.parameters)),
        ("gradients", "one per parameter", weight(memory.gradients)),
        ("optimizer", "state it keeps", weight(memory.optimizer)),
        ("activations", "kept for backward", weight(memory.activations)),
        ("batch", "inputs and answers", weight(memory.batch)),
        ("all", "", weight(memory.total)),
    ]
    return Content("\n").join([title("memory of a step", width), *(_row(*row, width) for row in rows)])


def _row(name: str, what: str, figure: str, width: int) -> Content:
    return Content.assemble((f"{name:<12}{what:<22}", "$secondary"), f"{figure:>{width - 34}}")


def _step(ledger: Ledger, width: int) -> Content:
    """Every operation of the step with its formula: what the counts above are made of."""
    rows = [row for row in ledger.rows if row.operations.total]
    cells = [_cells(row.operations, 1) for row in rows]
    columns = [aligned([row[index] for row in cells], wide) for index, (_, wide) in enumerate(COLUMNS)]
    head = f"{'layer':<6}{'operation':<27}" + "".join(f"{name:>{wide}}" for name, wide in COLUMNS)
    what = f"one step, operation by operation: B = {number(ledger.batch, 13)} examples, N inputs, M outputs, P parameters"
    lines = [title(what, width), Content.styled(f"{head}   formula", "$secondary")]
    for line, row in enumerate(rows):
        layer = "" if row.layer is None else str(row.layer)
        figures = "".join(column[line] for column in columns)
        formula = row.formula if len(row.formula) <= width - 79 else ""
        lines.append(
            Content.assemble(
                (f"{layer:<6}", "$secondary"),
                (f"{row.what:<27.26}", f"$phase-{row.phase.value}"),
                figures,
                (f"   {formula}", "$secondary"),
            )
        )
        if not formula:
            lines.append(Content.styled(f"{'':<33}{row.formula}", "$secondary"))
    return Content("\n").join(lines)


def _folded(ledger: Ledger, width: int) -> Content:
    per_phase = (
        Content.assemble((phase.value, f"$phase-{phase.value}"), f" {number(_each(ledger, phase), 9)}") for phase in PHASES
    )
    first = Content.assemble(
        headline(ledger), ("  operations per example, counted" if width >= 66 else "  per example, counted", "$secondary")
    )
    return Content("\n").join([first, Content("  ").join(per_phase)])


def _each(ledger: Ledger, phase: Phase) -> int | float:
    return share(ledger.per_step[phase].total, ledger.batch)
