"""`tuisim bench`: the standard suite of cases, compared with other libraries and matrix products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated

from cyclopts import Parameter

from tuisim import units
from tuisim.cli.console import message, print_result
from tuisim.cli.options import Json
from tuisim.config.choices import MAX_THREADS
from tuisim.errors import ConfigError, Mistake
from tuisim.features.compare.bench.bench import Benchmark, BenchRow
from tuisim.features.compare.bench.bench import bench as run_bench
from tuisim.terminal.lines import Frame, Line, Span, Tone, wrap
from tuisim.terminal.table import Column, narrowed_table
from tuisim.units import parse_count


def bench(
    *,
    threads: Annotated[str, Parameter(help="BLAS threads")] = "1",
    json_: Json = False,
) -> int:
    """Time tuisim's step on each backend, relative to naive NumPy, other libraries and matrix products."""
    try:
        count = parse_count(threads)
    except ValueError as error:
        raise ConfigError([Mistake("threads", threads, str(error))]) from None
    if not 1 <= count <= MAX_THREADS:
        raise ConfigError([Mistake("threads", threads, f"a whole number from 1 to {MAX_THREADS}")])
    result = run_bench(count, lambda case: message(f"measuring {case}"))
    print_result(json_, result.to_dict, lambda frame: _lines(result, frame))
    return 0


def _lines(result: Benchmark, frame: Frame) -> list[Line]:
    lines: list[Line] = []
    for name, rows in groupby(result.rows, key=lambda row: row.case):
        lines += [((name, Tone.STRONG),), *_table(list(rows), frame.width)]
    blas, environment = result.blas, result.environment
    pinned = f", pinned by {blas['pinned_by']}" if blas["pinned_by"] else ""
    devices = {row.subject: row.device for row in result.rows if row.device}
    notes = (
        *_reasons(result.rows),
        *(f"{subject}: {device}" for subject, device in devices.items()),
        f"measured on {environment['processor']}, {blas['library']} {blas['kernel']}, "
        f"{blas['threads']} thread{'s' * (blas['threads'] > 1)}{pinned}, NumPy {environment['numpy']}",
    )
    return [*lines, *(line for note in notes for line in wrap(note, frame.width, Tone.TEXT))]


def _table(rows: Sequence[BenchRow], width: int) -> list[Line]:
    """Return the implementations of one case that were timed."""
    columns = [
        Column("", right=False, min_width=16), Column("µs/step", min_width=12), Column("× numpy", min_width=10),
        Column("±", min_width=8), Column("max difference"),
    ]  # fmt: skip
    cells: list[list[Span]] = []
    for row in rows:
        if row.microseconds_per_step is not None:
            ratios = ("" if value is None else f"{value:,.3f}" for value in (row.ratio, row.spread))
            figures = (f"{row.microseconds_per_step:,.1f}", *ratios, units.figure(row.relative_parameter_difference, 2))
            cells.append([(row.subject, Tone.TEXT), *((figure, Tone.TEXT) for figure in figures)])
    return narrowed_table(columns, cells, width)


def _reasons(rows: Sequence[BenchRow]) -> Iterator[str]:
    """Return why rows have no figures: by case, or once for an implementation with the same reason in all cases."""
    by_subject: dict[str, list[BenchRow]] = {}
    for row in rows:
        by_subject.setdefault(row.subject, []).append(row)
    for subject, own in by_subject.items():
        if len(own) > 1 and own[0].reason and len({row.reason for row in own}) == 1:
            yield f"{subject}: {own[0].reason}"
        else:
            yield from (f"{row.case}, {subject}: {row.reason}" for row in own if row.reason)
