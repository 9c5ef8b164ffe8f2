"""Panel 1 of a proof: the ledger's numbers beside what plain Python tallied, cell by cell.

It reads the ledger, which is there from the start, and the check once it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuisim import units
from tuisim.accounting import KINDS, Ledger
from tuisim.accounting.ledger import COUNTED_PHASES
from tuisim.engine.events import Snapshot
from tuisim.features.explain.proof.count import BatchCount, Cell, CountCheck
from tuisim.features.explain.proof.view import FAILED, PASSED, Moment, waiting
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import BLANK, PHASE_TONES, Frame, Line, Span, Tone, clip, width_of, wrap
from tuisim.terminal.table import Column, fits, table

_TITLES = {"activation": "f", "derivative": "f′", "sqrt": "√"}
_REST = ("divide", "compare", "exp", "log", "sqrt")
_ALL = tuple((_TITLES.get(kind, kind), (kind,)) for kind in KINDS)
_FEW = (*((title, kinds) for title, kinds in _ALL if kinds[0] not in _REST), ("other", _REST))
_NONE = "·"
GUTTER, LEAST_HALF = 4, 88
"""Cells between two batches side by side, and the least for each."""
UNBOUND = 10_000
"""Lines, for what scrolls."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A cell as drawn: some kinds together, equal only where each of them is; no tally before there is one."""

    ledger: int
    tally: int | None
    passed: bool


_Row = tuple[Span, ...]
_Group = tuple[_Row, dict[str, _Pair]]
"""What heads a row, and its cells by title."""


class CountView:
    """The grid phase × kind; zoomed also every operation."""

    kinds: Provenances = (("ledger", Provenance.COUNTED), ("tally", Provenance.MEASURED))

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.moment = Moment()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        check = self.moment.check("count")
        if not isinstance(check, CountCheck):
            foot = waiting(self.moment, "count", "steps tallied", frame)
            return [*_grid(self._pending(), frame, len(foot) + 1), BLANK, *foot][: frame.height]
        if frame.zoomed:
            return _whole(check, frame)
        verdict = _verdict(check, frame.width)
        lines = _beside(check, frame) or _grid(_phases(check.batches[0]), frame, len(verdict))
        more = [BLANK, *_operations(check.batches[0], frame)]
        if len(lines) + len(more) + len(verdict) < frame.height:
            lines = [*lines, *more]
        if len(lines) + len(verdict) > frame.height:
            return [*verdict, *lines][: frame.height]
        air = [BLANK] if len(lines) + len(verdict) < frame.height else []
        return [*lines, *air, *verdict]

    def _pending(self) -> list[_Group]:
        per_step = self._ledger.per_step
        return [
            (_head(phase.value), _pairs({kind: (n, None) for kind, n in per_step[phase].as_dict().items()}))
            for phase in COUNTED_PHASES
        ]


def _head(phase: str) -> _Row:
    return ((phase, PHASE_TONES[phase]),)


def _pairs(cells: dict[str, tuple[int, int | None]]) -> dict[str, _Pair]:
    """By every title there is."""
    return {title: _together([cells[kind] for kind in kinds]) for title, kinds in (*_ALL, *_FEW)}


def _together(cells: Sequence[tuple[int, int | None]]) -> _Pair:
    tallies = [tally for _, tally in cells if tally is not None]
    known = sum(tallies) if len(tallies) == len(cells) else None
    return _Pair(sum(ledger for ledger, _ in cells), known, all(ledger == tally for ledger, tally in cells))


def _phases(batch: BatchCount) -> list[_Group]:
    return [(_head(phase.value), _both([cell for cell in batch.cells if cell.phase is phase])) for phase in COUNTED_PHASES]


def _both(cells: Sequence[Cell]) -> dict[str, _Pair]:
    return _pairs({cell.kind: (cell.ledger, cell.tally) for cell in cells})


def _grid(groups: Sequence[_Group], frame: Frame, below: int, heads: Sequence[str] = ("phase",)) -> list[Line]:
    """Ledger over tally where there is height for both, else each number once; kinds together where width is short."""
    tall = 2 * len(groups) + 1 + below <= frame.height and len(heads) == 1
    for titles in (_ALL, _FEW):
        shown = [title for title, _ in titles if any(pairs[title].ledger or pairs[title].tally for _, pairs in groups)]
        for two in (True, False) if tall else (False,):
            columns, rows = _tall(groups, shown, heads) if two else _flat(groups, shown, heads)
            if fits(columns, rows, frame.width):
                return table(columns, rows, frame.width)
    return table(columns, rows, frame.width)


def _tall(groups: Sequence[_Group], shown: Sequence[str], heads: Sequence[str]) -> tuple[list[Column], list[list[Span]]]:
    columns = [*(Column(head, right=False) for head in heads), Column("", right=False, min_width=6), *(Column(t) for t in shown)]
    rows: list[list[Span]] = []
    for head, pairs in groups:
        blank: _Row = tuple(("", Tone.TEXT) for _ in head)
        rows.append([*head, ("ledger", Tone.DIM), *(_number(pairs[title], "  ") for title in shown)])
        rows.append([*blank, ("tally", Tone.DIM), *(_tallied(pairs[title]) for title in shown)])
    return columns, rows


def _number(pair: _Pair, after: str) -> Span:
    return (units.count(pair.ledger) + after, Tone.TEXT) if pair.ledger or pair.tally else (_NONE + after, Tone.DIM)


def _tallied(pair: _Pair) -> Span:
    if pair.tally is None:
        return "", Tone.DIM
    if not (pair.ledger or pair.tally):
        return _NONE + "  ", Tone.DIM
    return (f"{units.count(pair.tally)} ✓", Tone.GOOD) if pair.passed else (f"{units.count(pair.tally)} ✗", Tone.BAD)


def _flat(groups: Sequence[_Group], shown: Sequence[str], heads: Sequence[str]) -> tuple[list[Column], list[list[Span]]]:
    columns = [*(Column(head, right=False) for head in heads), *(Column(title) for title in shown)]
    return columns, [[*head, *(_once(pairs[title]) for title in shown)] for head, pairs in groups]


def _once(pair: _Pair) -> Span:
    if pair.tally is None or not (pair.ledger or pair.tally):
        return _number(pair, "  ")
    if pair.passed:
        return f"{units.count(pair.ledger)} ✓", Tone.GOOD
    return f"{units.count(pair.ledger)}≠{units.count(pair.tally)} ✗", Tone.BAD


def _beside(check: CountCheck, frame: Frame) -> list[Line]:
    """Two batches side by side; nothing where there is one, or no room for both."""
    half = Frame((frame.width - GUTTER) // 2, frame.height - 1, frame.chart_style)
    if len(check.batches) < 2 or half.width < LEAST_HALF:
        return []
    left, right = ([_heading(batch, number), *_grid(_phases(batch), half, 0)] for number, batch in enumerate(check.batches))
    wide = half.width + GUTTER
    return [(*a, (" " * (wide - width_of(a)), Tone.TEXT), *b) for a, b in zip(left, right, strict=True)]


def _heading(batch: BatchCount, number: int) -> Line:
    which = ", the short last one of an epoch" if number else ""
    return ((f"one step of {units.count(batch.batch)} examples{which}", Tone.STRONG),)


def _verdict(check: CountCheck, width: int) -> list[Line]:
    steps = " and of ".join(units.count(one.batch) for one in check.batches)
    if check.passed:
        words = f"  {units.count(check.compared)} cells of a step of {steps} examples: ledger = tally"
        return [(PASSED, (clip(words, width - 8), Tone.TEXT))]
    more = len(check.wrong) - 1
    words = f"{check.where}" + (f"; and {units.count(more)} more" if more else "")
    return [
        (FAILED, (clip(f"  largest difference {units.count(check.worst)}", width - 8), Tone.TEXT)),
        *wrap(words, width, Tone.BAD),
    ]


def _whole(check: CountCheck, frame: Frame) -> list[Line]:
    """Every batch with its phases and every single operation."""
    lines = _verdict(check, frame.width)
    for number, batch in enumerate(check.batches):
        tall = Frame(frame.width, UNBOUND, frame.chart_style)
        lines += [BLANK, _heading(batch, number), *_grid(_phases(batch), tall, 0), BLANK, *_operations(batch, frame)]
    return lines


def _operations(batch: BatchCount, frame: Frame) -> list[Line]:
    """Each single operation that does anything, in the order they run."""
    groups: list[_Group] = [
        (
            (("" if row.layer is None else str(row.layer), Tone.TEXT), (clip(row.what, 24), PHASE_TONES[row.phase.value])),
            _both(row.cells()),
        )
        for row in batch.operations
        if row.ledger.total or row.tally.total
    ]
    return _grid(groups, Frame(frame.width, UNBOUND, frame.chart_style), 0, ("layer", "operation"))
