"""The cost of a network as lines, counted before anything runs: for the setup page and for `tuisim count`."""

from __future__ import annotations

from collections.abc import Sequence

from tuisim import units
from tuisim.accounting import Ledger, Operations, StepMemory
from tuisim.accounting.conventions import CONVENTIONS, TUISIM
from tuisim.accounting.operations import share
from tuisim.program import Phase
from tuisim.terminal.lines import BLANK, PHASE_TONES, Frame, Line, Span, Tone, width_of, wrap
from tuisim.terminal.text import aligned, number, weight
from tuisim.units import layers_text

COLUMNS = (("multiply", 11), ("add", 11), ("act", 7), ("act′", 7), ("other", 8), ("total", 12))
"""Kinds of operations, and the cells for their numbers; the total is left out if there is no room."""
PHASES = (Phase.FORWARD, Phase.LOSS, Phase.BACKWARD, Phase.UPDATE)

MIN_WIDTH, MAX_WIDTH = 51, 76
FORMULA_WIDTH = 112
"""Cells from which on the operations fit beside their formulas."""
MAX_ROWS = 24
"""Operations of a step that the setup page lists."""


def column(ledger: Ledger, memory: StepMemory, width: int) -> list[Line]:
    """Return operations, volume and memory below each other, and the operations one by one if there is room for them."""
    narrow = min(max(MIN_WIDTH, width), MAX_WIDTH)
    parts = [_phases(ledger, ledger.batch, narrow), _volume(ledger, narrow), _memory(ledger, memory, narrow)]
    if width >= FORMULA_WIDTH and len(ledger.rows) <= MAX_ROWS:
        parts.append(_step(ledger, width))
    return _spaced(parts)


def folded(ledger: Ledger, width: int) -> list[Line]:
    """Return the operations in two lines."""
    phases: list[Span] = []
    for phase in PHASES:
        figure = number(share(ledger.per_step[phase].total, ledger.batch), 9)
        phases += [(phase.value, PHASE_TONES[phase.value]), (f" {figure}  ", Tone.TEXT)]
    head = _headline(ledger, "", width)
    ways = ("  operations per example, counted", "  per example, counted", "  per example")
    unit = next((unit for unit in ways if width_of(head) + len(unit) <= width), "")
    return [(*head, (unit, Tone.DIM)), tuple(phases)]


def count_page(ledger: Ledger, frame: Frame) -> list[Line]:
    """Return all of the ledger: what `tuisim count` prints."""
    width = frame.width
    head: Line = (
        (layers_text(ledger.layers), Tone.STRONG),
        (f" · batch {ledger.batch:,} · {ledger.parameters:,} parameters", Tone.TEXT),
    )
    narrow = min(max(MIN_WIDTH, width), MAX_WIDTH)
    loss = f"; including the loss {ledger.ratio_with_loss:.2f} ×"
    return _spaced([
        [head, (*_headline(ledger, " operations per example", width - len(loss)), (loss, Tone.TEXT))],
        _step(ledger, width),
        _phases(ledger, 1, narrow),
        _volume(ledger, narrow),
        _memory(ledger, ledger.memory, narrow),
        [line for note in ledger.notes for line in wrap(f"note: {note}", width, Tone.TEXT)],
        _tools(ledger, width),
    ])  # fmt: skip


def _spaced(parts: Sequence[Sequence[Line]]) -> list[Line]:
    """Return the parts with a blank line between them; empty ones are left out."""
    return [line for part in parts if part for line in (BLANK, *part)][1:]


def title(words: str, width: int, provenance: str = "counted") -> Line:
    """Return a heading, a rule, and the provenance of the numbers beneath it."""
    rule = "─" * max(1, width - len(words) - len(provenance) - 2)
    return (words, Tone.STRONG), (f" {rule}", Tone.FAINT), (f" {provenance}", Tone.DIM)


def _headline(ledger: Ledger, unit: str, width: int) -> Line:
    """Return the operations per example compared with the naive count."""
    exact = number(share(ledger.step_total_without_loss.total, ledger.batch), 20)
    ratio, naive = f"{unit} = {ledger.ratio_to_naive:.2f} × ", number(ledger.naive, 12)
    words = f"{ratio}the naive count of {naive}"
    return (exact, Tone.ACCENT), (words if len(exact) + len(words) <= width else f"{ratio}the naive {naive}", Tone.TEXT)


def _phases(ledger: Ledger, examples: int, width: int) -> list[Line]:
    """Return the operations by phase and kind, per example if `examples` is the batch, per step if it is 1."""
    per = "step" if examples < ledger.batch else "example"
    lines = [title(f"operations per {per}", width), _head(f"{'phase':<8}", width)]
    cells = [_cells(ledger.per_step[phase], examples) for phase in PHASES]
    for phase, figures in zip(PHASES, _figures(cells, width - 8), strict=True):
        tone = Tone.DIM if phase is Phase.LOSS else Tone.TEXT
        lines.append(((f"{phase.value:<8}", PHASE_TONES[phase.value]), (figures, tone)))
    if per == "step":
        step = number(ledger.step_total.total, 20)
        return [*lines, (("total   ", Tone.STRONG), (step, Tone.STRONG), (" including the loss", Tone.DIM))]
    with_loss = number(share(ledger.step_total.total, ledger.batch), 20)
    lines.append((("total   ", Tone.STRONG), *_headline(ledger, "", width - 8)))
    return [*lines, ((f"        including the loss {with_loss} = {ledger.ratio_with_loss:.2f} ×", Tone.DIM),)]


def _columns(width: int) -> Sequence[tuple[str, int]]:
    return COLUMNS if sum(wide for _, wide in COLUMNS) <= width else COLUMNS[:-1]


def _head(first: str, width: int) -> Line:
    return ((first + "".join(f"{name:>{wide}}" for name, wide in _columns(width - len(first))), Tone.DIM),)


def _cells(step: Operations, examples: int) -> tuple[int | float, ...]:
    values = (step.multiply, step.add, step.activation, step.derivative, step.other, step.total)
    return tuple(share(value, examples) for value in values)


def _figures(cells: Sequence[Sequence[int | float]], width: int) -> list[str]:
    """Return the rows of a table of numbers, aligned by column."""
    columns = [aligned([row[index] for row in cells], wide) for index, (_, wide) in enumerate(_columns(width))]
    return ["".join(figures) for figures in zip(*columns, strict=True)]


def _volume(ledger: Ledger, width: int) -> list[Line]:
    epoch, run = (
        None if phases is None else sum(part.total for part in phases.values()) for phases in (ledger.per_epoch, ledger.run)
    )
    of_epoch = "" if ledger.examples is None else f"{number(ledger.examples, 13)} examples"
    of_run = "until stopped" if ledger.epochs is None else f"{number(ledger.epochs, 13)} epochs"
    rows = [
        ("step", f"batch {number(ledger.batch, 13)}", number(ledger.step_total.total, 20)),
        ("epoch", of_epoch or "known once the file is read", number(epoch, 20)),
        ("whole run", of_run, number(run, 20)),
        ("bytes moved", "per step, uncached", weight(ledger.bytes_per_step)),
        ("arithmetic", "intensity, FLOP/byte", f"{ledger.arithmetic_intensity:.3g}"),
    ]
    return [title("total operations, including the loss", width), *(_row(*row, width) for row in rows)]


def _memory(ledger: Ledger, memory: StepMemory, width: int) -> list[Line]:
    rows = [
        ("parameters", number(ledger.parameters, 20), weight(memory.parameters)),
        ("gradients", "one per parameter", weight(memory.gradients)),
        ("optimizer", "state", weight(memory.optimizer)),
        ("activations", "kept for backward", weight(memory.activations)),
        ("batch", "inputs and targets", weight(memory.batch)),
        ("total", "", weight(memory.total)),
    ]
    return [title("memory of a step", width), *(_row(*row, width) for row in rows)]


def _row(name: str, words: str, figure: str, width: int) -> Line:
    return (f"{name:<12}{words:<22}", Tone.DIM), (f"{figure:>{width - 34}}", Tone.TEXT)


def _step(ledger: Ledger, width: int) -> list[Line]:
    """Return every operation of the step, with its formula if there is room."""
    rows = [row for row in ledger.rows if row.operations.total]
    formulas = width >= FORMULA_WIDTH
    words = f"one step by operation: batch B = {number(ledger.batch, 13)}, N inputs, M outputs, P parameters"
    lines = [title(words if formulas else "one step by operation", width if formulas else min(width, 89))]
    lines += [(*_head(f"{'layer':<6}{'operation':<27}", width), ("   formula: × multiply, + add" if formulas else "", Tone.DIM))]
    for row, figures in zip(rows, _figures([_cells(row.operations, 1) for row in rows], width - 33), strict=True):
        layer = "" if row.layer is None else str(row.layer)
        beside = formulas and len(row.formula) <= width - 92
        lines.append((
            (f"{layer:<6}", Tone.DIM), (f"{row.what:<27.26}", PHASE_TONES[row.phase.value]), (figures, Tone.TEXT),
            (f"   {row.formula}" if beside else "", Tone.DIM),
        ))  # fmt: skip
        if formulas and not beside:
            lines.append(((f"{'':<33}{row.formula}", Tone.DIM),))
    return lines


def _tools(ledger: Ledger, width: int) -> list[Line]:
    """Return the counts of the same network by the conventions of other tools."""
    lines: list[Line] = [((f"{'convention':<27}{'per example':>14}  counts, and leaves out", Tone.DIM),)]
    for convention in CONVENTIONS:
        words = f"{convention.counts}; without {convention.leaves_out}"
        first, *more = wrap(words, max(20, width - 43), Tone.DIM)
        tone = Tone.STRONG if convention is TUISIM else Tone.TEXT
        figure = units.count(ledger.reported(convention))
        lines += [((f"{convention.name:<27}{figure:>14}  ", tone), *first), *(((" " * 43, Tone.TEXT), *line) for line in more)]
    return lines
