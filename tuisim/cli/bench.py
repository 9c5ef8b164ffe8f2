"""`tuisim bench`: how fast the step is here, beside the obvious code and the bare matrix products."""

from __future__ import annotations

import json
import sys
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.cli.options import Json
from tuisim.errors import ConfigError, Mistake
from tuisim.study.bench import Benchmark
from tuisim.study.bench import bench as run_bench


def bench(
    *,
    threads: Annotated[int, Parameter(help="BLAS threads")] = 1,
    json_: Json = False,
) -> int:
    """Measure tuisim's step as ratios in one run: against plain NumPy code, and against its matrix products alone."""
    if threads < 1:
        raise ConfigError([Mistake("threads", threads, "a whole number, 1 or more")])
    result = run_bench(threads, lambda case: print(f"measuring {case}", file=sys.stderr))
    if json_:
        print(json.dumps(result.to_dict()))
    else:
        _print(result)
    return 0


def _print(result: Benchmark) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading, side in (
        ("case", "left"),
        ("subject", "left"),
        ("µs a step", "right"),
        ("× tuisim's time", "right"),
        ("±", "right"),
    ):
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("largest difference", justify="right", style="dim")
    for row in result.rows:
        table.add_row(
            row.case, row.subject, f"{row.microseconds_per_step:,.1f}", f"{row.ratio:.3f}", f"{row.spread:.3f}",
            units.figure(row.max_parameter_difference, 2),
        )  # fmt: skip
    console.print(table)
    pinned = f", pinned by {result.blas['pinned_by']}" if result.blas["pinned_by"] else ""
    console.print(
        f"measured on {result.environment['processor']}, {result.blas['library']} {result.blas['kernel']}, "
        f"{result.blas['threads']} thread{'s' if result.blas['threads'] > 1 else ''}{pinned}, "
        f"NumPy {result.environment['numpy']}",
        soft_wrap=True,
    )
