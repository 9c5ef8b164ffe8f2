"""`tuisim answer`: the answer's seven claims, counted and measured for a network on this machine."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tuisim.cli.console import CommandConsole, message
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.config import RunConfig
from tuisim.features.explain.answer.answer import QUESTION, Answer, Claim
from tuisim.features.explain.answer.answer import answer as find_answer
from tuisim.features.explain.answer.figures import Figure
from tuisim.units import layers_text

FULL_WIDTH = 112
"""Columns where there is no terminal to ask."""
NOTE_WIDTH = 88
"""Columns from which on a row's remark is printed beside it."""
VERDICTS = {True: ("holds", "bold green"), False: ("does not hold", "bold red"), None: ("in part", "bold yellow")}


def answer(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    json_: Json = False,
) -> int:
    """Take a network through the answer's claims S1 to S7, with figures of this machine; without LAYERS, the question's own."""
    chosen = _chosen(layers, options, config)
    found = find_answer(chosen, message)
    if json_:
        print(json.dumps(found.to_dict()))
    else:
        _print(found, CommandConsole(FULL_WIDTH))
    return 0


def _chosen(layers: str | None, options: Any, config: str | None) -> RunConfig:
    """What was asked for; where no file says otherwise, everything not asked for is the question's."""
    if config is None:
        plain = RunConfig(layers=QUESTION.layers)
        texts = {
            field.name: _text(getattr(QUESTION, field.name))
            for field in fields(options)
            if getattr(options, field.name) is None and getattr(QUESTION, field.name) != getattr(plain, field.name)
        }
        layers, options = layers or layers_text(QUESTION.layers), replace(options, **texts)
    return resolve(layers, options, config)


def _text(value: object) -> str:
    return "none" if value is None else str(value)


def _print(found: Answer, console: Console) -> None:
    config = found.config
    console.print(
        Text.assemble(
            (layers_text(config.layers), "bold"),
            f" · batch {config.batch_size:,} · {' '.join(dict.fromkeys(config.activations))} · {config.loss} · "
            f"{config.optimizer}: the answer, point by point",
        ),
        soft_wrap=True,
    )  # fmt: skip
    for claim in found.claims:
        console.print()
        console.print(_claim(claim, console.width))


def _claim(claim: Claim, width: int) -> Group:
    words, style = VERDICTS[claim.holds]
    mark = f"{claim.table.mark} · " if claim.table.mark else ""
    head = Table.grid(expand=True, padding=(0, 1))
    head.add_column(width=2)
    head.add_column(ratio=1)
    head.add_column(justify="right", no_wrap=True)
    head.add_row(Text(claim.id, "bold cyan"), Text(claim.claim, "bold"), Text.assemble((mark, "dim"), (words, style)))
    verdict = Text("→ " + claim.verdict)
    return Group(head, Padding(_figures(claim, width - 3), (0, 0, 0, 3)), Padding(verdict, (0, 0, 0, 3)))


def _figures(claim: Claim, width: int) -> Table:
    """The claim's table, each column headed by what it is and the kind of its numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(Text(claim.table.of), no_wrap=True)
    for column, mark in zip(claim.table.columns, claim.table.marks(), strict=True):
        head = column.title if claim.table.mark else f"{column.title}\n{mark}"
        table.add_column(Text(head, justify="right"), justify="right", no_wrap=True)
    remarks = width >= NOTE_WIDTH
    if remarks:
        table.add_column(style="dim")
    for row in claim.table.rows:
        cells = [Text(_cell(figure)) for figure in row.figures]
        style = "bold" if row.stressed else None
        table.add_row(Text(row.label), *cells, *([Text(row.note)] if remarks else []), style=style)
    return table


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{figure.how} = {figure.text}" if figure.how and len(figure.how) < 14 else figure.text
