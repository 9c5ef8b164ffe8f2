"""`tuisim law`: what a step, an operation and a byte have taken in the runs so far, and how far each run is from that."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.backends import computed_dtype, names
from tuisim.cli.console import CommandConsole
from tuisim.cli.options import Json
from tuisim.errors import ConfigError, ExitCode, Mistake, nearest, printable
from tuisim.features.runs.cost_fit import Law, Residual, laws, marks
from tuisim.features.runs.cost_fit_text import formula, no_runs, sentences, skipped_words
from tuisim.predict.machine import called
from tuisim.provenance import Provenance
from tuisim.store.runs import Run, runs

MOST_ROWS = 20
"""Runs of a law that are written as a table; JSON has all."""
PIPED_WIDTH = 160
"""Columns where no terminal has to hold them."""
GAP = 2


def law(
    *,
    backend: Annotated[str | None, Parameter(help="Only its runs: numpy, or numpy@2 for two threads")] = None,
    json_: Json = False,
) -> int:
    """Fit time = a + b·operations + c·bytes to the runs so far, with what each run is off by."""
    if backend is not None and (name := backend.partition("@")[0]) not in names():
        raise ConfigError([Mistake("backend", printable(backend), nearest(name, names()))])
    kept = runs()
    found = laws([run for run in kept.runs if backend is None or backend in (run.backend, run.name)])
    if json_:
        print(json.dumps(_document(found, kept.skipped), allow_nan=False))
    else:
        console = CommandConsole(PIPED_WIDTH)
        _print(found, kept.skipped, _nothing(kept.runs, backend), console)
    return ExitCode.DONE


def _document(found: Sequence[Law], skipped: int) -> dict[str, Any]:
    return {
        "laws": [one.to_dict() | {"words": list(sentences(one))} for one in found],
        "skipped_lines": skipped,
        "marks": marks("laws[]") | {"skipped_lines": Provenance.COUNTED},
    }


def _nothing(kept: Sequence[Run], backend: str | None) -> str:
    """What to say where there is no run to fit."""
    others = ", ".join(sorted({printable(run.name) for run in kept}))
    return f"no runs on {printable(backend)} yet; there are some on {others}" if others else no_runs()


def _print(found: Sequence[Law], skipped: int, nothing: str, console: Console) -> None:
    for i, one in enumerate(found):
        if i:
            console.print()
        _print_law(one, console)
    if not found:
        console.print(nothing, soft_wrap=True)
    if skipped:
        console.print(f"note: {skipped_words(skipped)}", soft_wrap=True)


def _print_law(one: Law, console: Console) -> None:
    words = formula(one)
    console.print(
        f"{printable(one.backend)} on {called(one.machine)}" + (f" · a step takes {words}" if words else ""),
        style="bold", soft_wrap=True,
    )  # fmt: skip
    console.print(_table(one.rows[-MOST_ROWS:], console.width))
    if len(one.rows) > MOST_ROWS:
        console.print(f"the newest {MOST_ROWS} of {len(one.rows):,} runs; --json has all", style="dim", soft_wrap=True)
    for sentence in sentences(one):
        console.print(sentence, soft_wrap=True)
    if one.unknowns:
        legend = (
            "÷: what it took over the law; step, ops, bytes: their shares of the law's time. Took measured, law and ÷ projected"
        )
        console.print(legend, style="dim", soft_wrap=True)


def _table(rows: Sequence[Residual], width: int) -> Table:
    """One row for each run; where it is too wide, what is told by the others goes first."""
    columns = dict(_COLUMNS)
    cells = {heading: [text(row) for row in rows] for heading, text in _COLUMNS}
    for heading in _SPARED:
        if sum(max(map(len, (name, *cells[name]))) + GAP for name in columns) - GAP > width:
            del columns[heading]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in columns:
        table.add_column(heading, justify="left" if heading == "network" else "right", no_wrap=True)
    for row in zip(*(cells[heading] for heading in columns), strict=True):
        table.add_row(*row)
    return table


def _share(index: int) -> Callable[[Residual], str]:
    def text(row: Residual) -> str:
        part, total = row.parts[index], row.law_seconds
        return "" if part is None or not total else units.percent(part / total, 0)

    return text


_COLUMNS: tuple[tuple[str, Callable[[Residual], str]], ...] = (
    ("network", lambda row: printable(units.layers_text(row.run.layers), 24)),
    ("batch", lambda row: units.count(row.run.batch)),
    ("dtype", lambda row: printable(computed_dtype(row.run.backend, row.run.dtype))),
    ("optimizer", lambda row: printable(row.run.optimizer)),
    ("operations", lambda row: units.si(row.run.operations_per_step)),
    ("moved", lambda row: units.si(row.run.bytes_per_step, "B")),
    ("measured", lambda row: units.duration(row.seconds)),
    ("law", lambda row: units.duration(row.law_seconds)),
    ("÷", lambda row: "" if row.ratio is None else f"{row.ratio:.2f}"),
    *((heading, _share(i)) for i, heading in enumerate(("step", "ops", "bytes"))),
)
_SPARED = ("optimizer", "dtype", "moved", "operations", "law")
"""In the order in which they are left out."""
