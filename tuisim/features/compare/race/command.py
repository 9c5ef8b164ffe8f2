"""`tuisim compare`: one run on several backends or thread counts, in turn, with proof that they computed the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.cli.console import CommandConsole, styled
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, length, resolve
from tuisim.cli.progress import ProgressLine
from tuisim.errors import ExitCode
from tuisim.features.compare.entries import FEW_STEPS, entries
from tuisim.features.compare.race.race import SECONDS, Comparison, Row, Standing
from tuisim.features.compare.race.race import compare as run_comparison
from tuisim.measure.ceiling import share_text
from tuisim.units import layers_text

DEFAULT = "scalar,numpy"


def compare(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    backends: Annotated[
        str, Parameter(help="Two or more, with commas; numpy@2 is NumPy on two threads, numpy@all on 1, 2, 4 … of them")
    ] = DEFAULT,
    seconds: Annotated[str, Parameter(help="For all rounds together: 10, 2min")] = f"{SECONDS:g}",
    json_: Json = False,
) -> int:
    """Compare backends or thread counts on one network: speed, what happens once, and whether they compute the same."""
    entered, time = entries(backends), length(seconds)
    with ProgressLine() as line:
        found = run_comparison(resolve(layers, options, config), entered, time, lambda all_: line.show(_progress(all_)))
    if json_:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        _print(found, CommandConsole())
    return ExitCode.DONE if len(found.rows) > 1 else ExitCode.NO_BACKEND


def _progress(standings: Sequence[Standing]) -> str:
    return "   ".join(f"{one.name} {units.count(one.steps)} steps" if one.steps else one.name for one in standings)


def _print(found: Comparison, console: Console) -> None:
    config = found.config
    console.print(
        styled(
            "[bold]{}[/] · {} · {} · batch {} · {} · the same start, batches and order",
            layers_text(config.layers),
            config.loss,
            config.optimizer,
            units.count(config.batch_size),
            config.dtype,
        ),
        soft_wrap=True,
    )
    if found.rows:
        console.print(_speeds(found))
        console.print()
        console.print(_once(found))
        first = found.rows[0].name
        console.print(
            styled("[dim]×: the time of {} over the row's; differs: from {}, after {} steps[/]", first, first, FEW_STEPS),
            soft_wrap=True,
        )
    for one in found.unavailable:
        words = "; ".join(part for part in (one.reason, one.hint) if part)
        console.print(f"{one.backend}: {words}", soft_wrap=True)
    for note in found.notes:
        console.print(f"note: {note}", soft_wrap=True)
    if found.fastest:
        first, *level = (row.name for row in found.fastest)
        others = f", level with {', '.join(level)}" if level else ""
        console.print(styled("fastest here: [bold]{}[/]{}", first, others), soft_wrap=True)


def _speeds(found: Comparison) -> Table:
    """The steady state."""
    rows = [
        (
            row.name,
            f"{row.microseconds_per_step:,.1f}",
            f"{row.spread:,.1f}",
            _times(row.speedup),
            _times(row.speedup_spread),
            units.si(row.examples_per_second),
            units.si(row.flops_per_second),
            share_text(row.utilization, row.above_peak is not None),
        )
        for row in found.rows
    ]
    return _table(("backend", "µs a step", "±", "×", "±", "examples/s", "FLOP/s", "of peak"), rows)


def _times(ratio: float) -> str:
    """Two decimals while they say something."""
    return f"{ratio:,.2f}" if ratio < 100 else f"{ratio:,.0f}"


def _once(found: Comparison) -> Table:
    """What is paid once, and whether all computed the same."""
    device = any(row.transfer_seconds is not None for row in found.rows)
    heads = ("", "set up", "first step", "compiling", *(("copying", "launch") if device else ()), "differs", "where")
    return _table(heads, [_paid(row, device) for row in found.rows])


def _paid(row: Row, device: bool) -> tuple[str, ...]:
    """With a device of its own among the rows: copying the data there, and what handing over one step takes."""
    differs = "not finite" if row.max_parameter_difference is None else f"{row.max_parameter_difference:.1e}"
    return (
        row.name,
        units.duration(row.bind_seconds),
        units.duration(row.first_call_seconds),
        units.duration(row.compile_seconds),
        *((units.duration(row.transfer_seconds), _launch(row)) if device else ()),
        differs + ("" if row.same else " ✗"),
        row.where if row.max_parameter_difference else "",
    )


def _launch(row: Row) -> str:
    return "" if row.launch_microseconds is None else f"{row.launch_microseconds:,.1f} µs"


def _table(heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for i, heading in enumerate(heads):
        table.add_column(heading, justify="left" if i == 0 or heading == "where" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
