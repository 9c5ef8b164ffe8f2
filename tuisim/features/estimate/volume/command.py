"""`tuisim project`: hours or days, for a network at any volume of data and number of epochs, and for the ladder of known ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import data, units
from tuisim.backends import precision_notes
from tuisim.cli.console import CommandConsole, note, styled
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.config import RunConfig
from tuisim.errors import ConfigError, ExitCode, Mistake, printable
from tuisim.predict import predictor as outlook
from tuisim.predict import profiles as cards
from tuisim.predict.project import VOLUMES, Climb, Price, Projection, climb, document
from tuisim.predict.project import project as project_volume
from tuisim.units import layers_text

FULL_WIDTH = 120
"""Columns where there is no terminal to ask; a narrower one goes without what an example is and the like."""
VOLUME_WIDTH, BACKEND_WIDTH = 48, 16
"""Columns that the volumes and their operations take, and one backend beside them."""


def project(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    ladder: Annotated[bool, Parameter(negative="", help="The ladder of known networks too; without LAYERS it alone")] = False,
    json_: Json = False,
) -> int:
    """Project how long training takes: at --examples, or from the digits to a trillion examples, on every backend measured."""
    alone = ladder and layers is None and config is None
    chosen = None if alone else resolve(layers, options, config)
    own = cards.own()
    if own.trouble:
        note(own.trouble)
    here = None if own.card is None else outlook.steady(own.card)
    found = [] if chosen is None else _projections(chosen, partial(outlook.priced, own=here))
    known = climb(outlook.best_rate(), *_sizes(options)) if ladder else None
    if json_:
        print(json.dumps(document(found, known), allow_nan=False))
        return ExitCode.DONE
    console = CommandConsole(FULL_WIDTH)
    if found:
        _print(found, "" if own.trouble else outlook.missing(), console)
    if known is not None:
        _print_ladder(known, console)
    return ExitCode.DONE


def _projections(config: RunConfig, price: Price) -> list[Projection]:
    """At the volume given; where none is, at the data's own and every named one."""
    if config.examples is not None:
        return [project_volume(config, price)]
    own = data.rows(config)
    volumes = sorted({volume.examples for volume in VOLUMES} | ({own} if own is not None else set()))
    return [project_volume(config, price, volume) for volume in volumes]


def _sizes(options: object) -> tuple[int | None, int | None]:
    """Volume and epochs as written on the command line; none where they are not."""
    sizes: list[int | None] = []
    for name in ("examples", "epochs"):
        text = getattr(options, name)
        try:
            value = None if text is None or text.lower() == "none" else units.parse_count(text)
        except ValueError as error:
            raise ConfigError([Mistake(name, text, str(error))]) from None
        if value is not None and value < 1:
            raise ConfigError([Mistake(name, text, "a whole number, 1 or more")])
        sizes.append(value)
    return sizes[0], sizes[1]


# ── this network ──


def _print(found: Sequence[Projection], missing: str, console: Console) -> None:
    config = found[0].config
    epochs = found[0].epochs
    console.print(
        styled(
            "[bold]{}[/] · {} · batch {} · {} · {} parameters · {} · times projected",
            layers_text(config.layers),
            config.optimizer,
            units.count(config.batch_size),
            config.dtype,
            units.count(config.parameter_count),
            _times(epochs),
        ),
        soft_wrap=True,
    )
    if len(found) == 1:
        _print_one(found[0], console)
    else:
        _print_volumes(found, console)
    for row in found[0].rows:
        if row.step is None:
            console.print(f"{row.label}: {printable(row.reason or 'not known', 300)}", soft_wrap=True)
    for words in precision_notes((row.label.partition("@")[0] for row in found[0].rows), config.dtype):
        console.print(f"note: {words}", soft_wrap=True)
    for row in found[0].rows if len(found) > 1 else ():
        if row.foreign and row.step is not None:
            console.print(f"{row.label}: as on {printable(row.machine, 200)}", style="dim", soft_wrap=True)
    if found[0].rows:
        console.print("of the steps alone: making or reading the rows is not in it", style="dim", soft_wrap=True)
    elif missing:
        console.print(missing, soft_wrap=True)


def _print_one(found: Projection, console: Console) -> None:
    table = _table(("backend", "likely", "from", "to", "a step", "on"), left=("backend", "on"))
    for row in found.rows:
        if row.seconds is not None and row.step is not None:
            times = (row.seconds.likely, row.seconds.low, row.seconds.high, row.step.likely)
            machine = ("as on " if row.foreign else "") + printable(row.machine, 200)
            table.add_row(row.label, *map(units.duration, times), machine)
    for column in table.columns[:-1]:  # where room is short it is the machine's name that is cut
        column.min_width = max(map(len, map(str, column.cells)), default=0)
    if table.row_count:
        console.print(table)
    console.print(
        f"{units.count(found.operations_per_example)} operations an example × {units.count(found.examples)} examples × "
        f"{_times(found.epochs)} = {units.si(found.operations)} operations, the loss's among them",
        soft_wrap=True,
    )


def _print_volumes(found: Sequence[Projection], console: Console) -> None:
    """One row for each volume, one column for each backend that has a price."""
    places = [i for i, row in enumerate(found[0].rows) if row.step is not None]
    names = [row.label for row in found[0].rows]
    beside = max(1, (console.width - VOLUME_WIDTH) // BACKEND_WIDTH)
    for first in range(0, max(1, len(places)), beside):
        shown = places[first : first + beside]
        table = _table(("examples", "", "operations", *(names[i] for i in shown)), left=("",))
        for one in found:
            times = [one.rows[i].seconds for i in shown]
            likely = [units.duration(seconds.likely) if seconds else "" for seconds in times]
            table.add_row(units.count(one.examples), one.volume, units.si(one.operations), *likely)
        console.print(table)


# ── the ladder ──


def _print_ladder(found: Climb, console: Console) -> None:
    volume = "its own examples" if found.examples is None else f"{units.count(found.examples)} examples"
    epochs = "its own epochs" if found.epochs is None else _times(found.epochs)
    title = styled("[bold]the ladder[/] · published networks, each at {} × {} · times projected", volume, epochs)
    console.print(title, soft_wrap=True)
    roomy = console.width >= FULL_WIDTH
    asides = ("year", "an example", "examples seen") if roomy else ()
    table = _table(("network", "parameters", "forward MACs", *asides, "operations", "at least"), left=("network", "an example"))
    for rung in found.rungs:
        known = rung.known
        more = (str(known.year), known.example, units.si(rung.seen)) if roomy else ()
        sizes = units.si(known.parameters), units.si(known.forward)
        table.add_row(known.name, *sizes, *more, units.si(rung.operations), units.duration(rung.seconds))
    console.print(table)
    rule = "training is 3 forward passes, a MAC 2 operations; sources: --json"
    console.print(f"{found.assumption}; {rule}", style="dim", soft_wrap=True)


def _times(epochs: int) -> str:
    return units.counted(epochs, "epoch")


def _table(heads: Sequence[str], left: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in heads:
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=True)
    return table
