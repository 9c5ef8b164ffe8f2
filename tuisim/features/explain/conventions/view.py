"""One network as other tools count it: a tool's number, what it includes and leaves out, and all tools side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tuisim import units
from tuisim.accounting import Ledger, Operations
from tuisim.accounting.conventions import CONVENTIONS, TUISIM, Convention, Share
from tuisim.accounting.ledger import LedgerRow
from tuisim.accounting.operations import share
from tuisim.program import Kind, Phase
from tuisim.terminal.lines import BLANK, PHASE_TONES, Block, ChartStyle, Frame, Line, Span, Tone, fold, spread, wrap
from tuisim.terminal.plot import bar, large
from tuisim.terminal.table import Column, fits, table
from tuisim.terminal.text import network_subjects, page_header

_LOOKS = {Share.COUNTED: ("●", Tone.ACCENT), Share.PART: ("◐", Tone.TEXT), Share.NONE: ("·", Tone.DIM)}
_SCALARS = ("multiply", "add", "activation", "derivative", "other")
_TITLES = ("multiply", "add", "act", "act′", "other")
LABEL = 12
EXACT, SHORT = 11, 6
"""Characters of a count in full, and of a rounded one."""
OTHER_LINES = 26
"""Lines of the page without the ledger."""
MIN_BAR, MAX_BAR = 10, 72


@dataclass(frozen=True, slots=True)
class ConventionsState:
    """A ledger, and the index of the selected convention."""

    ledger: Ledger
    at: int = 0

    @property
    def convention(self) -> Convention:
        """The selected convention."""
        return CONVENTIONS[self.at]


def header(state: ConventionsState, frame: Frame) -> list[Line]:
    """Return the page's header."""
    config = state.ledger.config
    details = f"batch {units.count(config.full_batch)} · all numbers counted"
    return [page_header("conventions", network_subjects(config), [details], (), frame.width)]


def convention_lines(state: ConventionsState, frame: Frame) -> list[Line]:
    """Return the number of the selected convention and what it includes, folded to the height of the frame."""
    ledger, at, convention, width, height = state.ledger, state.at, state.convention, frame.width, frame.height
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
    """Return all names, the selected one highlighted between arrows."""
    pieces: list[Line] = []
    for i, convention in enumerate(CONVENTIONS):
        selected = i == at
        name = convention.name.removeprefix("FlopCounterMode ")
        pieces.append(((f"▸ {name} ◂", Tone.ACCENT),) if selected else ((f"  {name} ", Tone.DIM),))
    return spread(pieces, width, gap=0)


def _number(ledger: Ledger, convention: Convention, full: float, width: int, height: int) -> list[Line]:
    value = ledger.reported(convention)
    text = units.short_count(value, 19)
    of = f"{convention.unit} per example" + (" at this batch" if convention is TUISIM else "")
    ratio: Line = (
        (f"{value / full:.2f} ×", Tone.STRONG), (f" tuisim's count of {units.short_count(full, 19)}", Tone.DIM),
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
    """Return the ledger with the operations that the tool includes highlighted; layer by layer if there is room."""
    counted = [row for row in ledger.rows if row.operations.total]
    apart = len(counted) + 2 <= height
    merged: dict[tuple[Phase, Kind, int | None], LedgerRow] = {}
    for row in counted:
        key = row.phase, row.kind, row.layer if apart else None
        before = merged[key].operations if key in merged else Operations()
        merged[key] = replace(row, layer=key[2], operations=row.operations + before)
    entries = list(merged.values())
    heads = ("", "phase", *(("layer",) if apart else ()), "per example")
    columns = [Column(head, right=False) for head in heads]
    columns += [Column(title) for title in _TITLES]
    for digits in (EXACT, SHORT):
        rows = [_entry(entry, convention, ledger, apart, digits) for entry in entries]
        if fits(columns, rows, width):
            break
    if not fits(columns, rows, width):  # the operations' names imply their phase
        columns, rows = [columns[0], *columns[2:]], [[row[0], *row[2:]] for row in rows]
    legend: list[Line] = [((f"{mark} ", tone), (kind.value, Tone.DIM)) for kind, (mark, tone) in _LOOKS.items()]
    return [*table(columns, rows, width), *spread(legend, width)]


def _entry(entry: LedgerRow, convention: Convention, ledger: Ledger, apart: bool, digits: int) -> list[Span]:
    every = ledger.program.activations
    activations = (every[entry.layer - 1],) if entry.layer else every
    cells = [
        (getattr(entry.operations, scalar), convention.share(entry.phase, entry.kind, scalar, activations)) for scalar in _SCALARS
    ]
    most = min((kind for value, kind in cells if value), key=list(Share).index)
    mark, tone = _LOOKS[most]
    off = most is Share.NONE
    numbers = [
        (units.short_count(share(value, ledger.batch), digits), _LOOKS[kind][1]) if value else ("·", Tone.FAINT)
        for value, kind in cells
    ]
    return [
        (mark, tone),
        (entry.phase.value, Tone.DIM if off else PHASE_TONES[entry.phase.value]),
        *([(str(entry.layer or ""), Tone.DIM)] if apart else []),
        (entry.what, Tone.DIM if off else Tone.TEXT),
        *numbers,
    ]


def _all(ledger: Ledger, at: int, full: float, width: int) -> list[Line]:
    """Return every tool's number with a bar, on one scale."""
    values = [ledger.reported(convention) for convention in CONVENTIONS]
    texts = [units.short_count(value, 15) for value in values]
    names = max(len(convention.name) for convention in CONVENTIONS)
    figures = max(map(len, texts))
    room = min(MAX_BAR, width - names - figures - 14)
    most = max(values)
    lines: list[Line] = []
    for i, (convention, value, text) in enumerate(zip(CONVENTIONS, values, texts, strict=True)):
        tone = Tone.ACCENT if i == at else Tone.TEXT if convention is TUISIM else Tone.DIM
        ratio = f"{value / full:.2f} ×"
        line: Line = ((f"{convention.name:<{names}}  {text:>{figures}}  {ratio:>8}", tone),)
        if room >= MIN_BAR:
            filled = bar(value / most, room, ChartStyle.BLOCK)[0]
            line = (*line, ("  ", Tone.TEXT), (filled, tone))
        lines.append(line)
    return lines
