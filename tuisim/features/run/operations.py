"""Panel 1: the operations of one example by layer and phase, compared with the naive count."""

from __future__ import annotations

from dataclasses import replace

from tuisim import units
from tuisim.accounting import Ledger
from tuisim.accounting.ledger import LedgerRow
from tuisim.accounting.operations import share
from tuisim.features.run.operations_table import counted_table
from tuisim.features.run.state import RunState
from tuisim.terminal.lines import BLANK, PHASE_TONES, Block, Frame, Line, Span, Tone, fold, spread
from tuisim.terminal.table import Column, fits, table

_TOOLS = {"torch_forward_backward": "torch with backward", "epoch_2_to_1": "Epoch AI's 2:1", "six_n": "6 × parameters"}


def operations_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return the table, the ratio to the naive count, and the operations so far."""
    ledger, width, room = state.ledger, frame.width, frame.height - 1
    with_loss = f"{units.short_count(share(ledger.step_total.total, ledger.batch), 13)} = {ledger.ratio_with_loss:.2f} ×"
    loss = spread([(("including the loss ", Tone.DIM), (with_loss, Tone.TEXT))], width)
    ratio, step, tools = _ratio(ledger, width), _step(ledger, width), _tools(ledger, width)
    if frame.zoomed:
        body = [*counted_table(ledger, frame), BLANK, *_every_operation(ledger, width), BLANK, *ratio, *loss, *step, *tools]
    else:
        counted = counted_table(ledger, replace(frame, height=room - len(ratio)))
        gap = [BLANK] if room - len(ratio) - len(counted) > len(loss) else []
        parts = ((0, counted), (3, gap), (1, ratio), (2, loss), (4, step), (5, tools))
        body = fold([Block(rank, lines) for rank, lines in parts], room)
    so_far = units.si(state.snapshot.operations_done) if state.snapshot else ""
    return [*body, (("operations so far ", Tone.DIM), (so_far, Tone.STRONG))]


def _every_operation(ledger: Ledger, width: int) -> list[Line]:
    """Return one row per operation of the step: its formula, the bytes it moves and its FLOP/byte."""
    columns = [Column(title, right=False) for title in ("layer", "phase", "operation")]
    columns += [Column(title) for title in ("per example", "bytes/step", "FLOP/byte")]
    columns += [Column("formula: B batch, N in, M out", right=False)]
    rows = [_operation(ledger, row) for row in ledger.rows]
    # If not all columns fit, the formula says more than the bytes.
    for kept in ((0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 6), (0, 1, 2, 3)):
        chosen = [[row[i] for i in kept] for row in rows]
        heads = [columns[i] for i in kept]
        if fits(heads, chosen, width):
            break
    return table(heads, chosen, width)


def _operation(ledger: Ledger, row: LedgerRow) -> list[Span]:
    n, moved = row.operations, row.bytes_read + row.bytes_written
    per_example = units.short_count(share(n.total, ledger.batch), 14)
    return [
        ("" if row.layer is None else str(row.layer), Tone.TEXT),
        (row.phase.value, PHASE_TONES[row.phase.value]),
        (row.what, Tone.TEXT),
        (per_example, Tone.TEXT) if n.total else ("·", Tone.DIM),
        (units.size(moved), Tone.DIM),
        (f"{n.flops / moved:.2f}" if moved and n.flops else "·", Tone.DIM),
        (row.formula, Tone.DIM),
    ]


def _ratio(ledger: Ledger, width: int) -> list[Line]:
    amount = units.short_count(share(ledger.step_total_without_loss.total, ledger.batch), 13)
    found: Line = ((amount, Tone.ACCENT), (" = ", Tone.DIM), (f"{ledger.ratio_to_naive:.2f} ×", Tone.ACCENT))
    for head, name, most in (("total ", "the naive count of ", 13), ("", "naive count ", 13), ("", "naive count ", 6)):
        naive: Line = ((name, Tone.DIM), (units.short_count(ledger.naive, most), Tone.STRONG))
        lines = spread([((head, Tone.DIM), *found), naive], width, gap=1)
        if len(lines) == 1:
            break
    return lines


def _step(ledger: Ledger, width: int) -> list[Line]:
    """Return the totals of a step: operations, bytes and arithmetic intensity."""
    total, parameters = (units.short_count(n, 20) for n in (ledger.step_total.total, ledger.parameters))
    pieces: list[Line] = [
        (
            ("a step of ", Tone.DIM),
            (units.count(ledger.batch), Tone.TEXT),
            (" example: " if ledger.batch == 1 else " examples: ", Tone.DIM),
            (total, Tone.TEXT),
        ),
        ((units.size(ledger.bytes_per_step), Tone.TEXT), (" moved without a cache", Tone.DIM)),
        ((f"{ledger.arithmetic_intensity:.2f}", Tone.TEXT), (" FLOP/byte", Tone.DIM)),
        (("parameters ", Tone.DIM), (parameters, Tone.TEXT)),
    ]
    return spread(pieces, width)


def _tools(ledger: Ledger, width: int) -> list[Line]:
    """Return the counts of other tools for the same network."""
    pieces: list[Line] = [
        ((_TOOLS.get(name, name.replace("_", " ")) + " ", Tone.DIM), (units.short_count(n, 13), Tone.TEXT))
        for name, n in ledger.tools_per_example.items()
    ]
    return spread([(("other tools, per example:", Tone.DIM),), *pieces], width, gap=2)
