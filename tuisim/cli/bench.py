"""`tuisim bench`: how fast the step is here, beside the obvious code, other libraries and the bare matrix products."""

from __future__ import annotations

import json
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from tuisim import units
from tuisim.cli.console import CommandConsole
from tuisim.cli.options import Json
from tuisim.errors import ConfigError, Mistake
from tuisim.study.bench import Benchmark
from tuisim.study.bench import bench as run_bench
from tuisim.units import parse_count
from tuisim.vocabulary import MAX_THREADS


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
    result = run_bench(count, lambda case: print(f"measuring {case}", file=sys.stderr))
    if json_:
        print(json.dumps(result.to_dict()))
    else:
        _print(result)
    return 0


def _print(result: Benchmark) -> None:
    console = CommandConsole(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading, side in (
        ("case", "left"),
        ("subject", "left"),
        ("µs a step", "right"),
        ("× tuisim numpy", "right"),
        ("±", "right"),
    ):
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("differs", justify="right", style="dim", no_wrap=True)
    before = ""
    for row in result.rows:
        name, before = "" if row.case == before else row.case, row.case
        if row.microseconds_per_step is None:
            table.add_row(name, row.subject, "", "", "", "")
        else:
            table.add_row(
                name, row.subject, f"{row.microseconds_per_step:,.1f}", f"{row.ratio:,.3f}", f"{row.spread:,.3f}",
                units.figure(row.max_parameter_difference, 2),
            )  # fmt: skip
    console.print(table)
    for row in result.rows:
        if row.reason:
            console.print(f"{row.case}, {row.subject}: {row.reason}", soft_wrap=True, markup=False)
    pinned = f", pinned by {result.blas['pinned_by']}" if result.blas["pinned_by"] else ""
    console.print(
        f"measured on {result.environment['processor']}, {result.blas['library']} {result.blas['kernel']}, "
        f"{result.blas['threads']} thread{'s' if result.blas['threads'] > 1 else ''}{pinned}, "
        f"NumPy {result.environment['numpy']}",
        soft_wrap=True,
    )
