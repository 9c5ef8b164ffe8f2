"""One network as one tool would report it: the dial, its number, what is in it and what is not, and all tools side by side.

It draws conventions over a ledger and knows none of either.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuisim import units
from tuisim.accounting import Ledger, Operations
from tuisim.accounting.conventions import CONVENTIONS, TUISIM, Convention, Share
from tuisim.accounting.operations import share
from tuisim.program import Kind, Phase
from tuisim.terminal.lines import BLANK, PHASE_TONES, Block, ChartStyle, Line, Span, Tone, fold, spread, wrap
from tuisim.terminal.plot import bar, large
from tuisim.terminal.table import Column, fits, table

_LOOKS = {Share.COUNTED: ("●", Tone.ACCENT), Share.PART: ("◐", Tone.TEXT), Share.NONE: ("·", Tone.DIM)}
_SCALARS = ("multiply", "add", "activation", "derivative")
_TITLES = ("multiply", "add", "f", "f′", "other")
LABEL = 12
EXACT, SHORT = 11, 6
"""Characters of a count, where there is room for it whole and where there is not."""
OTHER_LINES = 26
"""Lines of the page beside the ledger where nothing is folded away."""
LEAST_BAR, MOST_BAR = 10, 72


@dataclass(frozen=True, slots=True)
class _Entry:
    """One operation of the step, of one layer or of all together."""

    phase: Phase
    kind: Kind
    layer: str
    what: str
    operations: Operations


def dial(ledger: Ledger, at: int, width: int, height: int) -> list[Line]:
    """The page for the convention at place `at`, folded to `height` lines."""
    convention = CONVENTIONS[at]
    full = ledger.reported(TUISIM)
    blocks = [
        Block(0, _names(at, width)),
        Block(4, [BLANK]),
        Block(0, _number(ledger, convention, full, width, height)),
        Block(5, [BLANK]),
        Block(0, _words(convention, width)),
        Block(3, [BLANK]),
        Block(1, _ledger(ledger, convention, width, height - OTHER_LINES)),
        Block(6, [BLANK]),
        Block(2, _all(ledger, at, full, width)),
    ]
    return fold(blocks, height)


def _names(at: int, width: int) -> list[Line]:
    """The dial itself: every name in its place, the chosen one bright between arrows."""
    pieces: list[Line] = []
    for i, convention in enumerate(CONVENTIONS):
        chosen = i == at
        name = convention.name.removeprefix("FlopCounterMode ")
        pieces.append(((f"◂ {name} ▸", Tone.ACCENT),) if chosen else ((f"  {name} ", Tone.DIM),))
    return spread(pieces, width, gap=0)


def _number(ledger: Ledger, convention: Convention, full: float, width: int, height: int) -> list[Line]:
    value = ledger.reported(convention)
    text = units.short_count(value, 19)
    of = f"{convention.unit} an example" + (" at this batch" if convention is TUISIM else "")
    ratio: Line = (
        (f"{value / full:.2f} ×", Tone.STRONG), (f" the full ledger's {units.short_count(full, 19)}", Tone.DIM),
    )  # fmt: skip
    big = large(text) if all(c in "0123456789,." for c in text) else []
    if big and height >= 30 and len(big[0]) + 44 <= width:
        beside: list[Line] = [((of, Tone.TEXT),), ratio, BLANK]
        return [((line, Tone.ACCENT), ("   ", Tone.TEXT), *words) for line, words in zip(big, beside, strict=True)]
    return spread([((text, Tone.ACCENT), (f" {of}", Tone.TEXT)), ratio], width)


def _words(convention: Convention, width: int) -> list[Line]:
    lines: list[Line] = []
    for label, words in (("counts", convention.counts), ("leaves out", convention.leaves_out)):
        folded = wrap(words, width - LABEL, Tone.TEXT)
        lines += [((f"{label if i == 0 else '':<{LABEL}}", Tone.DIM), *line) for i, line in enumerate(folded)]
    return lines


def _ledger(ledger: Ledger, convention: Convention, width: int, height: int) -> list[Line]:
    """The full ledger, what the tool has of it bright and the rest dim; layer by layer where there is room."""
    counted = [row for row in ledger.rows if row.operations.total]
    apart = len(counted) + 2 <= height
    merged: dict[tuple[Phase, Kind, str], _Entry] = {}
    for row in counted:
        layer = "" if row.layer is None or not apart else str(row.layer)
        before = merged.get((row.phase, row.kind, layer))
        total = row.operations + (before.operations if before else Operations())
        merged[row.phase, row.kind, layer] = _Entry(row.phase, row.kind, layer, row.what, total)
    entries = list(merged.values())
    heads = ("", "phase", *(("layer",) if apart else ()), "an example")
    columns = [Column(head, right=False) for head in heads]
    columns += [Column(title) for title in _TITLES]
    for digits in (EXACT, SHORT):
        rows = [_entry(entry, convention, ledger, apart, digits) for entry in entries]
        if fits(columns, rows, width):
            break
    if not fits(columns, rows, width):  # the operations' names say their phase
        columns, rows = [columns[0], *columns[2:]], [[row[0], *row[2:]] for row in rows]
    legend: list[Line] = [((f"{mark} ", tone), (kind.value, Tone.DIM)) for kind, (mark, tone) in _LOOKS.items()]
    return [*table(columns, rows, width), *spread(legend, width)]


def _entry(entry: _Entry, convention: Convention, ledger: Ledger, apart: bool, digits: int) -> list[Span]:
    n, every = entry.operations, ledger.program.activations
    activations = (every[int(entry.layer) - 1],) if entry.layer else every
    counts = {scalar: getattr(n, scalar) for scalar in _SCALARS}
    shares = {scalar: convention.share(entry.phase, entry.kind, scalar, activations) for scalar in (*_SCALARS, "other")}
    present = [shares[scalar] for scalar, value in (*counts.items(), ("other", n.other)) if value]
    most = min(present, key=list(Share).index)
    mark, tone = _LOOKS[most]
    off = most is Share.NONE
    cells = [(value, shares[scalar]) for scalar, value in (*counts.items(), ("other", n.other))]
    numbers = [
        (units.short_count(share(value, ledger.batch), digits), _LOOKS[kind][1]) if value else ("·", Tone.FAINT)
        for value, kind in cells
    ]
    return [
        (mark, tone),
        (entry.phase.value, Tone.DIM if off else PHASE_TONES[entry.phase.value]),
        *([(entry.layer, Tone.DIM)] if apart else []),
        (entry.what, Tone.DIM if off else Tone.TEXT),
        *numbers,
    ]


def _all(ledger: Ledger, at: int, full: float, width: int) -> list[Line]:
    """Every tool's number beside its bar, on one scale."""
    values = [ledger.reported(convention) for convention in CONVENTIONS]
    texts = [units.short_count(value, 15) for value in values]
    names = max(len(convention.name) for convention in CONVENTIONS)
    figures = max(map(len, texts))
    room = min(MOST_BAR, width - names - figures - 14)
    most = max(values)
    lines: list[Line] = []
    for i, (convention, value, text) in enumerate(zip(CONVENTIONS, values, texts, strict=True)):
        tone = Tone.ACCENT if i == at else Tone.TEXT if convention is TUISIM else Tone.DIM
        ratio = f"{value / full:.2f} ×"
        line: Line = ((f"{convention.name:<{names}}  {text:>{figures}}  {ratio:>8}", tone),)
        if room >= LEAST_BAR:
            filled = bar(value / most, room, ChartStyle.BLOCK)[0]
            line = (*line, ("  ", Tone.TEXT), (filled, tone))
        lines.append(line)
    return lines
