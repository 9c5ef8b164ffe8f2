"""The grid of predicted and executed counts, phase by kind, of one or two batches and of every operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tuisim import units
from tuisim.accounting import KINDS, Ledger, Operations
from tuisim.accounting.ledger import COUNTED_PHASES
from tuisim.features.explain.proof.count import BatchCount, CountCheck
from tuisim.terminal.lines import BLANK, PHASE_TONES, UNLIMITED, Frame, Line, Span, Tone, beside, clip, wrap
from tuisim.terminal.table import Column, fits, table

_TITLES = {"activation": "act", "derivative": "act′", "sqrt": "√"}
_OTHER = ("divide", "compare", "exp", "log", "sqrt")
_ALL = tuple((_TITLES.get(kind, kind), (kind,)) for kind in KINDS)
_FEW = (*((title, kinds) for title, kinds in _ALL if kinds[0] not in _OTHER), ("other", _OTHER))
GUTTER, MIN_HALF = 4, 88
"""Cells between two batches side by side, and the least for each."""
MAX_WRONG = 20
"""Differing cells that are listed; all are in the JSON document."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A drawn cell: several kinds together pass only if each of them does."""

    ledger: int
    tally: int | None
    """None until it is known."""
    passed: bool


Group = tuple[tuple[Span, ...], dict[str, _Pair]]
"""The head of a row, and its cells by title."""


def predicted_counts(ledger: Ledger) -> list[Group]:
    """Return the phases of a step, without executed counts."""
    return [(((phase.value, PHASE_TONES[phase.value]),), _pairs(ledger.per_step[phase], None)) for phase in COUNTED_PHASES]


def verdict(check: CountCheck, width: int) -> list[Line]:
    """Return whether the counts are equal, and the largest difference."""
    batches = " and ".join(units.count(one.batch) for one in check.batches)
    if check.passed:
        steps = f"batch {batches}" if len(check.batches) == 1 else f"batches {batches}"
        words = f"  all {units.count(check.compared)} counts are equal ({steps})"
        return [(("✓ passed", Tone.GOOD), (clip(words, width - 8), Tone.TEXT))]
    more = len(check.wrong) - 1
    words = f"{check.where}" + (f"; and {units.count(more)} more" if more else "")
    largest = f"  max difference {units.count(check.worst)}"
    return [(("✗ failed", Tone.BAD), (clip(largest, width - 8), Tone.TEXT)), *wrap(words, width, Tone.BAD)]


def side_by_side(check: CountCheck, frame: Frame, below: int) -> list[Line]:
    """Draw both batches if there is room, else the first one; then its operations if there is still room."""
    half = replace(frame, width=(frame.width - GUTTER) // 2, height=frame.height - 1)
    if len(check.batches) < 2 or half.width < MIN_HALF:
        lines = count_grid(_phases(check.batches[0]), frame, below)
    else:
        left, right = (
            [_heading(batch, number), *count_grid(_phases(batch), half, 0)] for number, batch in enumerate(check.batches)
        )
        lines = beside(left, right, half.width + GUTTER)
    more = [BLANK, *_operations(check.batches[0], frame)]
    return [*lines, *more] if len(lines) + len(more) + below < frame.height else lines


def all_counts(check: CountCheck, frame: Frame, operations: bool = True) -> list[Line]:
    """Draw the phases and the `operations` of every batch, and list what differs."""
    lines, unlimited = verdict(check, frame.width), replace(frame, height=UNLIMITED)
    for batch, cell in check.wrong[:MAX_WRONG]:
        lines += wrap(f"✗ batch {units.count(batch)}, {cell.words}", frame.width, Tone.BAD)
    for number, batch_count in enumerate(check.batches):
        grid = count_grid(_phases(batch_count), unlimited, 0)
        lines += [BLANK, _heading(batch_count, number), *grid]
        if operations:
            lines += [BLANK, *_operations(batch_count, frame)]
        else:
            equal = sum(row.passed for row in batch_count.operations)
            lines += [((f"{equal} of {len(batch_count.operations)} operations have equal counts", Tone.DIM),)]
    return lines


def count_grid(groups: Sequence[Group], frame: Frame, below: int, heads: Sequence[str] = ("phase",)) -> list[Line]:
    """Draw predicted above executed counts if `frame` has room and `below` lines more, else one number for both.

    Where the width is short, the rare kinds are added up.
    """
    tall = 2 * len(groups) + 1 + below <= frame.height and len(heads) == 1
    for titles in (_ALL, _FEW):
        shown = [title for title, _ in titles if any(pairs[title].ledger or pairs[title].tally for _, pairs in groups)]
        for two in (True, False) if tall else (False,):
            columns = [*(Column(head, right=False) for head in (*heads, *[""] * two)), *(Column(title) for title in shown)]
            rows = [row for head, pairs in groups for row in _rows(head, [pairs[title] for title in shown], two)]
            if fits(columns, rows, frame.width):
                return table(columns, rows, frame.width)
    return table(columns, rows, frame.width)


def _pairs(ledger: Operations, tally: Operations | None) -> dict[str, _Pair]:
    """Return the cells by all titles."""
    predicted, executed = ledger.as_dict(), None if tally is None else tally.as_dict()
    return {
        title: _Pair(
            sum(predicted[kind] for kind in kinds),
            None if executed is None else sum(executed[kind] for kind in kinds),
            executed is not None and all(predicted[kind] == executed[kind] for kind in kinds),
        )
        for title, kinds in (*_ALL, *_FEW)
    }


def _phases(batch: BatchCount) -> list[Group]:
    return [(((row.phase.value, PHASE_TONES[row.phase.value]),), _pairs(row.ledger, row.tally)) for row in batch.phases]


def _heading(batch: BatchCount, number: int) -> Line:
    which = ", the short last one of an epoch" if number else ""
    return ((f"one step of {units.counted(batch.batch, 'example')}{which}", Tone.STRONG),)


def _operations(batch: BatchCount, frame: Frame) -> list[Line]:
    """Draw each operation that does anything, in the order they run."""
    groups: list[Group] = [
        (
            (("" if row.layer is None else str(row.layer), Tone.TEXT), (clip(row.what, 24), PHASE_TONES[row.phase.value])),
            _pairs(row.ledger, row.tally),
        )
        for row in batch.operations
        if row.ledger.total or row.tally.total
    ]
    return count_grid(groups, replace(frame, height=UNLIMITED), 0, ("layer", "operation"))


def _rows(head: Sequence[Span], pairs: Sequence[_Pair], two: bool) -> list[list[Span]]:
    """Return one row of pairs, or `two`: the predicted counts above the executed ones."""
    if not two:
        return [[*head, *(_predicted(pair) if pair.tally is None else _executed(pair, both=True) for pair in pairs)]]
    return [
        [*head, ("predicted", Tone.DIM), *map(_predicted, pairs)],
        [*(("", Tone.TEXT) for _ in head), ("executed", Tone.DIM), *map(_executed, pairs)],
    ]


def _predicted(pair: _Pair) -> Span:
    return (f"{units.count(pair.ledger)}  ", Tone.TEXT) if pair.ledger or pair.tally else ("·  ", Tone.DIM)


def _executed(pair: _Pair, both: bool = False) -> Span:
    """Write the executed count; after the predicted one if `both` are wanted and differ."""
    if pair.tally is None:
        return "", Tone.DIM
    if not (pair.ledger or pair.tally):
        return "·  ", Tone.DIM
    if pair.passed:
        return f"{units.count(pair.tally)} ✓", Tone.GOOD
    return (f"{units.count(pair.ledger)}≠" if both else "") + f"{units.count(pair.tally)} ✗", Tone.BAD
