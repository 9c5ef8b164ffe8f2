"""`tuisim count`: the ledger of a network, without running anything."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.accounting import Ledger, Operations
from tuisim.accounting import count as count_operations
from tuisim.accounting.conventions import CONVENTIONS, TUISIM
from tuisim.cli.console import CommandConsole, styled
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.program import Phase
from tuisim.units import layers_text

FULL_WIDTH = 112
"""Columns that show every formula on one line; a narrower terminal goes without them."""


def count(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    json_: Json = False,
) -> int:
    """Count what training a network costs, by layer, phase and kind of operation."""
    ledger = count_operations(resolve(layers, options, config))
    if json_:
        print(json.dumps(ledger.to_dict()))
    else:
        _print(ledger, CommandConsole(FULL_WIDTH))
    return 0


def _print(ledger: Ledger, console: Console) -> None:
    console.print(
        styled(
            "[bold]{}[/] · batch {} · {} parameters · {} for a step · all counted, per step",
            layers_text(ledger.layers),
            f"{ledger.batch:,}",
            f"{ledger.parameters:,}",
            units.size(ledger.memory.total),
        ),
        soft_wrap=True,
    )
    console.print(_rows(ledger, formulas=console.width >= FULL_WIDTH))
    per_example = ledger.step_total_without_loss.total / ledger.batch
    console.print(
        styled(
            "per example {} operations = [bold]{} ×[/] the naive {}; with the loss {} ×",
            units.count(per_example),
            f"{ledger.ratio_to_naive:.2f}",
            f"{ledger.naive:,}",
            f"{ledger.ratio_with_loss:.2f}",
        ),
        soft_wrap=True,
    )
    for what, phases in (("epoch", ledger.per_epoch), ("run", ledger.run)):
        if phases is not None:
            total = sum((operations for operations in phases.values()), Operations())
            of = f"{ledger.examples:,} examples" if what == "epoch" else f"{ledger.epochs:,} epochs"
            console.print(f"per {what} {units.short_count(total.total, 20)} operations ({of})", soft_wrap=True)
    console.print(
        f"memory traffic {units.size(ledger.bytes_per_step)} a step if no cache helped: "
        f"{ledger.arithmetic_intensity:.2f} FLOP per byte",
        soft_wrap=True,
    )
    for note in ledger.notes:
        console.print(f"note: {note}")
    console.print(_tools(ledger))


def _rows(ledger: Ledger, formulas: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("layer", justify="right", no_wrap=True)
    table.add_column("phase", no_wrap=True)
    table.add_column("operation", no_wrap=True)
    for heading in ("multiply", "add", "f", "f′", "other"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("all", justify="right", no_wrap=True)
    if formulas:
        table.add_column("formula", style="dim")
    for row in ledger.rows:
        if row.phase is not Phase.DATA:
            layer = "" if row.layer is None else str(row.layer)
            table.add_row(layer, row.phase.value, row.what, *_cells(row.operations), *([row.formula] if formulas else []))
    table.add_section()
    for phase, operations in ledger.per_step.items():
        table.add_row("", phase.value, "", *_cells(operations))
    table.add_row("", "step", "", *_cells(ledger.step_total), style="bold")
    return table


def _cells(operations: Operations) -> list[str]:
    values = (
        operations.multiply, operations.add, operations.activation, operations.derivative, operations.other, operations.total,
    )  # fmt: skip
    return [units.short_count(value, 11) if value else "·" for value in values]


def _tools(ledger: Ledger) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("the same network by", no_wrap=True)
    table.add_column("per example", justify="right", no_wrap=True)
    table.add_column("what it counts and leaves out", style="dim")
    for convention in CONVENTIONS:
        what = f"{convention.counts}; without {convention.leaves_out}"
        value = units.count(ledger.reported(convention))
        table.add_row(convention.name, value, what, style="bold" if convention is TUISIM else None)
    table.add_row("parameters", units.count(ledger.parameters), "the parameters themselves")
    return table
