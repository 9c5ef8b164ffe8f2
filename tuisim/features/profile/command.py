"""`tuisim profile`: one step of a network taken apart, its operations against this machine's roofs, and where the time goes."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.backends import precision
from tuisim.cli.console import CommandConsole, styled
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.cli.progress import ProgressLine
from tuisim.errors import ExitCode
from tuisim.features.profile.roofline import Dot, Roofline, roofline
from tuisim.features.profile.step_profile import Profile
from tuisim.features.profile.step_profile import profile as take_apart
from tuisim.features.profile.time_breakdown import Spent
from tuisim.features.profile.waterfall import Waterfall, waterfall
from tuisim.measure.ceiling import ABOVE, share_text
from tuisim.units import layers_text

BAR = 24
"""Cells of the waterfall's bars."""
FULL_WIDTH = 140
"""Columns where there is no terminal to ask."""
ROOMY = 100
"""Cells from which on there is room for all columns and for bars."""
ASIDE = ("±", "FLOP/s", "B/s", "roof")
"""Columns left out where there is not."""


def profile(layers: Layers = None, *, options: RunOptions = NOTHING_GIVEN, config: ConfigFile = None, json_: Json = False) -> int:
    """Where a step's time goes: each operation against this machine's roofs, and from its peak to what was achieved."""
    with ProgressLine() as line:
        found = take_apart(resolve(layers, options, config), tell=lambda share: line.show(f"taking a step apart {share:.0%}"))
    if json_:
        print(json.dumps(document(found), allow_nan=False))
    else:
        _print(found, CommandConsole(FULL_WIDTH))
    return ExitCode.DONE


def document(found: Profile) -> dict[str, Any]:
    """What `--json` prints: the profile, with the roofline and the waterfall of the step by itself beneath it."""
    whole = found.to_dict()
    parts = {"roofline": roofline(found).to_dict(), "waterfall": waterfall(found, Spent.of_step(found)).to_dict()}
    marks = dict(whole["marks"])
    for name, part in parts.items():
        marks |= {f"{name}.{path}": mark for path, mark in part.pop("marks").items()}
    return {**whole, **parts, "marks": marks}


def _print(found: Profile, console: Console) -> None:
    config = found.config
    console.print(
        styled(
            "[bold]{}[/] · {} · {} · batch {} · {} · {}, {} · a step takes [bold]{}[/] ± {}",
            layers_text(config.layers),
            config.loss,
            config.optimizer,
            units.count(found.batch),
            precision(config.backend, config.dtype),
            config.backend,
            found.device,
            units.duration(found.step_seconds),
            units.duration(found.step_spread),
        ),
        soft_wrap=True,
    )
    roofs = roofline(found)
    console.print(_operations(roofs, found, console.width >= ROOMY))
    console.print()
    _print_roofs(roofs, console)
    console.print()
    _print_waterfall(waterfall(found, Spent.of_step(found)), console)


def _operations(found: Roofline, step: Profile, roomy: bool) -> Table:
    rows = [_row(dot) for dot in found.dots]
    if step.outside:
        outside = {
            "operation": "outside them",
            "µs": _microseconds(step.outside),
            "share": units.percent(step.outside / step.whole),
        }
        rows.append(dict.fromkeys(rows[0], "") | outside)
    heads = [head for head in rows[0] if roomy or head not in ASIDE]
    table = Table(box=None, pad_edge=False, header_style="dim", collapse_padding=not roomy)
    for head in heads:
        table.add_column(head, justify="left" if head in ("phase", "operation", "roof", "limited by") else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[head] for head in heads))
    return table


def _row(dot: Dot) -> dict[str, str]:
    """One operation's cells by their column."""
    time = dot.time
    return {
        "layer": "" if time.row.layer is None else str(time.row.layer),
        "phase": time.row.phase.value,
        "operation": time.row.what,
        "µs": _microseconds(time.seconds),
        "±": _microseconds(time.spread),
        "share": units.percent(dot.share),
        "FLOP/s": units.si(time.flops_per_second) if dot.place else "",
        "B/s": units.si(time.bytes_per_second) if time.bytes else "",
        "of roof": share_text(dot.of_roof, dot.above is not None),
        "roof": dot.roof,
        "limited by": dot.limit.value,
    }


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.2f}"


def _print_roofs(found: Roofline, console: Console) -> None:
    roofs = found.roofs
    products = f"products {units.si(roofs.flops_per_second)}FLOP/s ({found.of})"
    if found.levels:
        console.print(f"roofs, measured: {products}; memory by the level that holds an operation's buffers:", soft_wrap=True)
        for threads in sorted({level.threads or 0 for level in found.levels}):
            levels = [level for level in found.levels if level.threads == threads]
            rates = ", ".join(f"{level.level} {units.si(level.per_second)}B/s" for level in levels)
            console.print(f"{rates} ({levels[0].kernel}, {units.counted(threads, 'thread')})", soft_wrap=True)
    else:
        copies = f"copies {units.si(roofs.bytes_per_second)}B/s"
        console.print(f"roofs, measured: {products}, {copies}; they meet at {roofs.ridge:.3g} FLOPs a byte", soft_wrap=True)
    for dot in found.above:
        layer = f" {dot.time.row.layer}" if dot.time.row.layer else ""
        console.print(f"{ABOVE} {dot.time.row.what}{layer}: {dot.above}", soft_wrap=True)
    most = max(found.dots, key=lambda dot: dot.share)
    layer = f" of layer {most.time.row.layer}" if most.time.row.layer else ""
    console.print(f"most of the step: {most.time.row.what}{layer}, {units.percent(most.share)}: {most.help}", soft_wrap=True)


def _print_waterfall(found: Waterfall, console: Console) -> None:
    console.print(
        f"products at {units.si(found.achieved)}FLOP/s over the whole step, of the {units.si(found.peak)}FLOP/s measured; "
        "where the rest goes:",
        soft_wrap=True,
    )
    roomy, before = console.width >= ROOMY, 0.0
    table = Table.grid("part", "share", *(("bar",) if roomy else ()), "words", padding=(0, 2))
    table.columns[1].justify = "right"
    for column in table.columns[:-1]:
        column.no_wrap = True
    for part in found.parts:
        if part.share:
            bar = (_bar(before, part.share),) if roomy else ()
            table.add_row(part.label, units.percent(part.share), *bar, part.help)
        before += part.share
    console.print(table)
    for note in found.notes:
        console.print(f"note: {note}", soft_wrap=True)


def _bar(before: float, share: float) -> str:
    """Its cells of all of them, at least one, beginning where the last one ended."""
    start = min(round(before * BAR), BAR - 1)
    end = max(start + 1, round((before + share) * BAR))
    return "·" * start + "━" * (end - start) + "·" * (BAR - end)
