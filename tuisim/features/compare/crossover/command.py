"""`tuisim crossover`: width by batch, who wins where on this machine, and from which size on the other one does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from tuisim import units
from tuisim.cli.console import CommandConsole
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, length, resolve
from tuisim.cli.progress import ProgressLine
from tuisim.errors import ConfigError, ExitCode, Mistake, printable, visible
from tuisim.features.compare.crossover.cell import shorts, written
from tuisim.features.compare.crossover.found import Crossover
from tuisim.features.compare.crossover.pairs import duels
from tuisim.features.compare.crossover.sweep import BATCHES, SECONDS, WIDTHS, Sweeping
from tuisim.features.compare.crossover.sweep import crossover as run_sweep
from tuisim.features.compare.entries import entries

LAYERS = "30-30-30"
"""Of which only the number of layers counts."""
FULL_WIDTH = 112
"""Columns where there is no terminal to ask."""
GAP = 2


def crossover(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    backends: Annotated[
        str | None, Parameter(help="Two, with a comma, such as numpy,scalar or numpy@1,numpy@2; else the fastest two here")
    ] = None,
    seconds: Annotated[
        str, Parameter(help="For the whole sweep, 30 or 5min; sizes that do not fit are left blank")
    ] = f"{SECONDS:g}",
    widths: Annotated[str, Parameter(help="Units of every layer, with commas")] = ",".join(map(str, WIDTHS)),
    batches: Annotated[str, Parameter(help="Examples per step, with commas")] = ",".join(map(str, BATCHES)),
    json_: Json = False,
    csv: Annotated[bool, Parameter(name="--csv", negative="", help="The raw table as CSV on stdout")] = False,
) -> int:
    """Map which of two backends or thread counts wins at which width and batch; of LAYERS only their number counts."""
    if json_ and csv:
        raise ConfigError([Mistake("csv", "--json --csv", "ask for one of them")])
    entered = duels()[0] if backends is None else entries(backends)
    chosen = resolve(LAYERS if layers is None and config is None else layers, options, config)
    sizes, time = (_sizes("widths", widths), _sizes("batches", batches)), length(seconds)
    with ProgressLine() as line:
        found = run_sweep(chosen, entered, time, *sizes, lambda sweeping: line.show(_progress(sweeping)))
    if json_:
        print(json.dumps(found.to_dict(), allow_nan=False))
    elif csv:
        print(visible(found.csv(), "\n"), end="")
    else:
        _print(found, CommandConsole())
    return ExitCode.DONE if found.rule.measured else ExitCode.RUN_FAILED


def _sizes(field: str, text: str) -> list[int]:
    """`8,64,1e3` as whole numbers. Raises ConfigError."""
    try:
        return [units.parse_count(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError([Mistake(field, printable(text), str(error))]) from None


def _progress(sweeping: Sweeping) -> str:
    now = f" · now {sweeping.now[0]:,} × {sweeping.now[1]:,}" if sweeping.now else ""
    return f"{sweeping.measured} of {len(sweeping.cells)} cells · {units.duration(sweeping.seconds)}{now}"


def _print(found: Crossover, console: Console) -> None:
    config = found.config
    devices = " against ".join(
        name + (f" ({device})" if device else "") for name, device in zip(found.names, found.devices, strict=True)
    )
    lines = [
        f"{devices} · {len(config.layers)} layers · {' '.join(dict.fromkeys(config.activations))} · {config.loss} · "
        f"{config.optimizer} · {config.dtype}",
        "",
        *_map(found, console.width if console.is_terminal else FULL_WIDTH),
        "",
        *found.rule.sentences,
        *(f"note: {note}" for note in found.notes),
        *sorted({f"failed: {cell.reason}" for cell in found.cells if cell.failed})[:5],
    ]
    for line in lines:
        console.print(line, soft_wrap=True)


def _map(found: Crossover, width: int) -> list[str]:
    """Rows of widths, columns of batches; names in full where they fit, else in two or three letters."""
    short = shorts(found.entries)
    full = _table(found, dict(zip(found.names, found.names, strict=True)))
    legend = "in a cell: the faster one, how many times as fast; = level within the spread or 3 %; ✗ failed; blank: not measured"
    if max(map(len, full)) <= width:
        return [*full, legend]
    names = ", ".join(f"{letters} {name}" for letters, name in zip(short, found.names, strict=True))
    return [*_table(found, dict(zip(found.names, short, strict=True))), f"{legend}; {names}"]


def _table(found: Crossover, labels: dict[str, str]) -> list[str]:
    widths, batches = (sorted({cell.size[i] for cell in found.cells}) for i in (0, 1))
    cells = {cell.size: cell for cell in found.cells}
    rows = [["width", *(f"batch {batch:,}" if i == 0 else f"{batch:,}" for i, batch in enumerate(batches))]]
    for width in widths:
        row = (cells.get((width, batch)) for batch in batches)
        rows.append([f"{width:,}", *("" if cell is None else written(cell, labels) for cell in row)])
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Right-aligned columns, nothing after the last character of a line."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (" " * GAP).join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]  # fmt: skip
