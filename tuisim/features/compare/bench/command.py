"""`tuisim bench`: how fast the step is here, beside the obvious code, other libraries and the bare matrix products."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from tuisim import units
from tuisim.cli.console import CommandConsole, message
from tuisim.cli.options import Json
from tuisim.config.choices import MAX_THREADS
from tuisim.errors import ConfigError, Mistake
from tuisim.features.compare.bench.bench import Benchmark, BenchRow
from tuisim.features.compare.bench.bench import bench as run_bench
from tuisim.units import parse_count


def bench(
    *,
    threads: Annotated[str, Parameter(help="BLAS threads")] = "1",
    json_: Json = False,
) -> int:
    """Measure tuisim's step as ratios in one run: by each backend, beside plain NumPy, other libraries and bare products."""
    try:
        count = parse_count(threads)
    except ValueError as error:
        raise ConfigError([Mistake("threads", threads, str(error))]) from None
    if not 1 <= count <= MAX_THREADS:
        raise ConfigError([Mistake("threads", threads, f"a whole number from 1 to {MAX_THREADS}")])
    result = run_bench(count, lambda case: message(f"measuring {case}"))
    if json_:
        print(json.dumps(result.to_dict()))
    else:
        _print(result)
    return 0


def _print(result: Benchmark) -> None:
    console = CommandConsole()
    for name, rows in groupby(result.rows, key=lambda row: row.case):
        console.print(name, style="bold")
        console.print(_table(list(rows)))
    for where, subject, reason in _reasons(result.rows):
        console.print(f"{where}{subject}: {reason}", soft_wrap=True)
    for row in {row.subject: row for row in result.rows if row.device}.values():  # on the last case each could do
        console.print(f"{row.subject}: {row.device}", soft_wrap=True)
    pinned = f", pinned by {result.blas['pinned_by']}" if result.blas["pinned_by"] else ""
    console.print(
        f"measured on {result.environment['processor']}, {result.blas['library']} {result.blas['kernel']}, "
        f"{result.blas['threads']} thread{'s' if result.blas['threads'] > 1 else ''}{pinned}, "
        f"NumPy {result.environment['numpy']}",
        soft_wrap=True,
    )


def _reasons(rows: Sequence[BenchRow]) -> Iterator[tuple[str, str, str]]:
    """Case, subject and reason of each row without figures; once for all cases where none has any, for one reason."""
    by_subject: dict[str, list[BenchRow]] = {}
    for row in rows:
        by_subject.setdefault(row.subject, []).append(row)
    for subject, own in by_subject.items():
        if len(own) > 1 and own[0].reason and len({row.reason for row in own}) == 1:
            yield "", subject, own[0].reason
        else:
            yield from ((f"{row.case}, ", subject, row.reason) for row in own if row.reason)


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:,.3f}"


def _table(rows: Sequence[BenchRow]) -> Table:
    """The subjects of one case that were timed."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", width=16, no_wrap=True)
    for heading, width in (("µs a step", 12), ("× numpy's time", 14), ("±", 8), ("differs", 8)):
        table.add_column(heading, justify="right", width=width, no_wrap=True)
    for row in rows:
        if row.microseconds_per_step is not None:
            table.add_row(
                row.subject, f"{row.microseconds_per_step:,.1f}", _three(row.ratio), _three(row.spread),
                units.figure(row.relative_parameter_difference, 2),
            )  # fmt: skip
    return table
