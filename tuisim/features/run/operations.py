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
    so_far = units.si(state.snapshot.operations_done) if state.snapshot else ""
    body = _whole(state.ledger, frame.width, frame) if frame.zoomed else _folded(state.ledger, frame)
    return [*body, (("operations so far ", Tone.DIM), (so_far, Tone.STRONG))]


def _folded(ledger: Ledger, frame: Frame) -> list[Line]:
    width, room = frame.width, frame.height - 1
    ratio, loss = _ratio(ledger, width), _ratio_with_loss(ledger, width)
    body = counted_table(ledger, replace(frame, height=room - len(ratio)))
    spare = room - len(ratio) - len(body)
    blocks = [Block(0, body), Block(3, [BLANK] if spare > len(loss) else []), Block(1, ratio), Block(2, loss)]
    return fold([*blocks, Block(4, _step(ledger, width)), Block(5, _tools(ledger, width))], room)


def _whole(ledger: Ledger, width: int, frame: Frame) -> list[Line]:
    totals = [*_ratio(ledger, width), *_ratio_with_loss(ledger, width), *_step(ledger, width), *_tools(ledger, width)]
    return [*counted_table(ledger, frame), BLANK, *_every_operation(ledger, width), BLANK, *totals]


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
    for head, most in (("total ", 13), ("", 13), ("", 6)):
        guess: Line = (("the naive ", Tone.DIM), (units.short_count(ledger.naive, most), Tone.STRONG))
        lines = spread([((head, Tone.DIM), *found), guess], width, gap=1)
        if len(lines) == 1:
            break
    return lines


def _ratio_with_loss(ledger: Ledger, width: int) -> list[Line]:
    amount = units.short_count(share(ledger.step_total.total, ledger.batch), 13)
    return spread(
        [(("with the loss ", Tone.DIM), (f"{amount} = {ledger.ratio_with_loss:.2f} ×", Tone.TEXT))],
        width,
    )


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
