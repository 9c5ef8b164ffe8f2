"""The answer as lines: each claim with its table, provenance and verdict, in one column or two."""

from __future__ import annotations

from dataclasses import dataclass, field

from tuisim import units
from tuisim.config import RunConfig
from tuisim.features.explain.answer.claims import Claim, Measured, claims
from tuisim.features.explain.answer.figures import Figure
from tuisim.terminal.lines import BLANK, Frame, Line, Span, Tone, beside, clip, ends, width_of, wrap
from tuisim.terminal.table import Column, fits, narrowed_table
from tuisim.terminal.text import network_subjects, page_header

TWO_COLUMNS = 164
"""Minimum width in cells for claims side by side."""
GUTTER = 4
INDENT = 4
MAX_ROWS = 9
"""Rows of a table; of more, those in the middle are replaced by their number."""
VERDICTS = {True: ("✓ holds", Tone.GOOD), False: ("✗ does not hold", Tone.WARNING), None: ("~ in part", Tone.TEXT)}


@dataclass(frozen=True, slots=True)
class AnswerState:
    """The configuration, and what has been measured so far."""

    config: RunConfig
    measured: Measured = field(default_factory=Measured)


def page(state: AnswerState, frame: Frame) -> list[Line]:
    """Return the header and all claims."""
    config = state.config.resolved()
    details = f"{config.loss} · {config.optimizer} · batch {units.count(config.full_batch)}"
    return [page_header("answer", network_subjects(config), [details], (), frame.width), BLANK, *answer_lines(state, frame)]


def answer_lines(state: AnswerState, frame: Frame) -> list[Line]:
    """Return all claims with their figures and verdicts, side by side if there is room."""
    is_wide = frame.width >= TWO_COLUMNS
    half = (frame.width - GUTTER) // 2
    blocks = [[*claim_lines(claim, half if is_wide else frame.width), BLANK] for claim in claims(state.config, state.measured)]
    if not is_wide:
        return [line for block in blocks for line in block]
    cut = min(range(1, len(blocks)), key=lambda i: max(sum(map(len, blocks[:i])), sum(map(len, blocks[i:]))))
    left, right = ([line for block in part for line in block] for part in (blocks[:cut], blocks[cut:]))
    return beside(left, right, half + GUTTER)


def claim_lines(claim: Claim, width: int) -> list[Line]:
    """Return one claim with its figures and its verdict."""
    margin: Span = (" " * INDENT, Tone.TEXT)
    tag: Line = (("not measured yet", Tone.DIM),)
    if claim.verdict:
        kind = claim.table.provenance
        tag = ((kind and f"{kind}  ", Tone.DIM), VERDICTS[claim.holds])
    room = width - INDENT - width_of(tag) - 2
    # If the tag leaves too little room, it gets a line of its own.
    has_room = room >= 34
    said = wrap(claim.claim, room if has_room else width - INDENT, Tone.STRONG)
    lines: list[Line] = [((f"{claim.id:<{INDENT}}", Tone.ACCENT), *said[0])]
    if has_room:
        lines[0] = ends(lines[0], tag, width)
    lines += [(margin, *line) for line in (*said[1:], *([] if has_room else [tag]), *_figures(claim, width - INDENT))]
    if claim.verdict:
        first, *more = wrap(claim.verdict, width - INDENT - 2, Tone.TEXT)
        lines += [(margin, ("→ ", Tone.ACCENT), *first), *((margin, ("  ", Tone.TEXT), *line) for line in more)]
    return lines


def _figures(claim: Claim, width: int) -> list[Line]:
    """Return as much of the table as fits: formulas and remarks are left out first, then minor columns, digits, last columns."""
    if not claim.table.rows:
        return []
    for formulas, notes, aside, exact in (
        (True, True, True, True), (False, True, True, True), (False, False, True, True), (False, True, False, True),
        (False, False, False, True), (False, False, False, False),
    ):  # fmt: skip
        columns, rows = _cells(claim, formulas, notes, aside, exact)
        if fits(columns, rows, width):
            break
    return narrowed_table(columns, rows, width)


def _cells(claim: Claim, formulas: bool, notes: bool, aside: bool, exact: bool) -> tuple[list[Column], list[list[Span]]]:
    shown = [i for i, column in enumerate(claim.table.columns) if aside or not column.aside]
    columns = [Column(claim.table.of, right=False), *(Column(claim.table.columns[i].title) for i in shown)]
    rows: list[list[Span]] = []
    for row in claim.table.rows:
        tone = Tone.STRONG if row.stressed else Tone.TEXT
        rows.append([(clip(row.label, 40), tone), *(_cell(row.figures[i], formulas, exact, tone) for i in shown)])
    remarks = [row.note for row in claim.table.rows]
    if not claim.table.provenance:
        marks = claim.table.provenances()
        rows.insert(0, [("", Tone.DIM), *((marks[i], Tone.DIM) for i in shown)])
        remarks.insert(0, "")
    if notes and any(remarks):
        columns.append(Column("", right=False))
        rows = [[*row, (note, Tone.DIM)] for row, note in zip(rows, remarks, strict=True)]
    if len(rows) > MAX_ROWS + 2:
        left_out = len(rows) - MAX_ROWS
        gap: list[Span] = [(f"… {left_out:,} more", Tone.DIM), *([("", Tone.DIM)] * (len(columns) - 1))]
        rows = [*rows[: MAX_ROWS // 2], gap, *rows[-(MAX_ROWS - MAX_ROWS // 2) :]]
    return columns, rows


def _cell(figure: Figure | None, formulas: bool, exact: bool, tone: Tone) -> Span:
    if figure is None:
        return "", tone
    if figure.value == 0 and not figure.unit:
        return "·", Tone.DIM
    if not exact and not figure.unit:
        return units.si(figure.value), tone
    shown_formula = formulas and figure.how and len(figure.how) < 14
    return (f"{figure.how} = {figure.text}" if shown_formula else figure.text), tone
