"""`tuisim calibrate`: measure what the operations of a step cost on this machine, and keep it as a card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.backends import get_backend, names, probe
from tuisim.cli.console import CommandConsole, line, note, styled
from tuisim.cli.options import Json
from tuisim.cli.progress import ProgressLine
from tuisim.config.choices import DTYPES, MAX_THREADS
from tuisim.errors import ConfigError, ExitCode, Mistake, nearest, printable
from tuisim.predict import profiles as cards
from tuisim.predict.calibrate import ProfileKey
from tuisim.predict.calibrate import calibrate as measure
from tuisim.predict.profile import ProfileEntry
from tuisim.predict.profile_document import card_document
from tuisim.predict.rates import figures
from tuisim.provenance import Provenance
from tuisim.threads import default_threads

FULL_WIDTH = 116
"""Columns where there is no terminal to ask."""


def calibrate(
    *,
    backends: Annotated[str | None, Parameter(help="With commas; all that work here unless said")] = None,
    threads: Annotated[str | None, Parameter(help="Thread counts, with commas; usable cores less one unless said")] = None,
    dtypes: Annotated[str | None, Parameter(help="float32, float64 or both, with a comma; float32 unless said")] = None,
    quick: Annotated[bool, Parameter(negative="", help="A quarter of the networks: less exact, in a few seconds")] = False,
    export: Annotated[str | None, Parameter(help="Write a copy of the card there, and measure nothing")] = None,
    import_: Annotated[str | None, Parameter(name="--import", help="Keep another machine's card, and measure nothing")] = None,
    name: Annotated[str | None, Parameter(help="What the imported card is to be called")] = None,
    json_: Json = False,
) -> int:
    """Measure this machine, once: what every kind of operation costs, by backend, in some seconds each."""
    measuring = {"backends": backends, "threads": threads, "dtypes": dtypes, "quick": quick or None}
    _check_options(measuring, export, import_, name)
    if import_ is not None:
        path = cards.take(Path(import_), Path(import_).stem if name is None else name)
        words = f"kept as {printable(path.stem)}: tuisim predict LAYERS --as {printable(path.stem)}"
        line(json.dumps({"imported": path.stem, "path": str(path)}) if json_ else words)
        return ExitCode.DONE
    if export is not None:
        cards.export(Path(export))
        line(json.dumps({"exported": export}) if json_ else f"written: {printable(export, 500)}")
        return ExitCode.DONE
    jobs = _jobs(backends, threads, "float32" if dtypes is None else dtypes)
    for job in jobs:
        get_backend(job.backend)  # which says so where it cannot work here, before anything is measured
    cards.check_keeping()
    found = cards.own()
    if found.trouble:
        note(found.trouble)
    card = found.card
    kept: cards.Kept | None = None
    with ProgressLine() as progress:
        for job in jobs:  # each kept as it is made: what is broken off keeps the others
            told = partial(_told, progress)
            kept = cards.keep(measure([job], card, told, quick=quick, of=len(jobs)))
            card = kept.card
    assert kept is not None
    if json_:
        print(json.dumps(card_document(kept.card), allow_nan=False))
    else:
        console = CommandConsole(FULL_WIDTH)
        _print(kept, {job.key for job in jobs}, console)
    return ExitCode.DONE


def _check_options(measuring: Mapping[str, object], export: str | None, import_: str | None, name: str | None) -> None:
    """Raises ConfigError where one would have no say; none are those not given."""
    mistakes = []
    if import_ is not None and export is not None:
        mistakes.append(Mistake("export", export, "either that or --import"))
    if name is not None and import_ is None:
        mistakes.append(Mistake("name", name, "only with --import"))
    if import_ is not None or export is not None:
        why = "not with --export or --import: nothing is measured"
        mistakes += [Mistake(field, value, why) for field, value in measuring.items() if value is not None]
    if mistakes:
        raise ConfigError(mistakes)


def _told(progress: ProgressLine, job: ProfileKey, done: int, of: int) -> None:
    progress.show(f"measuring {job.key}: {done} of {of} networks")


def _jobs(backends: str | None, threads: str | None, dtypes: str) -> list[ProfileKey]:
    """What is to be measured. Raises ConfigError with every mistake at once, BackendError where one cannot work here."""
    mistakes: list[Mistake] = []
    asked = [name for name in names() if probe(name).available] if backends is None else _parts(backends)
    mistakes += [Mistake("backends", name, nearest(name, names())) for name in asked if name not in names()]
    kinds = _parts(dtypes)
    mistakes += [Mistake("dtypes", kind, nearest(kind, DTYPES)) for kind in kinds if kind not in DTYPES]
    counts = [str(default_threads())] if threads is None else _parts(threads)
    for text in counts:
        if not (text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MAX_THREADS):
            mistakes.append(Mistake("threads", text, f"a thread count from 1 to {MAX_THREADS}"))
    for field, given in (("backends", asked), ("dtypes", kinds), ("threads", counts)):
        if not given:
            mistakes.append(Mistake(field, "", "name at least one"))
    if mistakes:
        raise ConfigError(mistakes)
    jobs: dict[str, ProfileKey] = {}
    for backend in asked:
        for dtype in kinds:
            for count in counts:
                job = ProfileKey.of(backend, int(count), dtype)
                jobs[job.key] = job
    return list(jobs.values())


def _parts(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _print(kept: cards.Kept, measured: set[str], console: Console) -> None:
    card = kept.card
    console.print(styled("[bold]{}[/] · {} usable cores", card.machine, card.machine.cores), soft_wrap=True)
    entries = [entry for entry in card.entries if entry.key in measured]
    for table in (_ceilings(entries), _costs(entries), _products(entries)):
        console.print(table)
        console.print()
    for entry in entries:
        off = sorted(abs(error) for error in entry.prices.errors)
        console.print(
            f"{entry.key}: {entry.networks} networks, {units.percent(entry.disturbed, 0)} while the machine was slowed; a "
            f"step that was not measured is off by {units.percent(off[len(off) // 2], 0)} in the middle, by "
            f"{units.percent(off[round(0.9 * (len(off) - 1))], 0)} for one in ten",
            style="dim",
            soft_wrap=True,
        )
    console.print(f"kept in {printable(str(kept.path), 500)}", soft_wrap=True)


def _ceilings(entries: list[ProfileEntry]) -> Table:
    """Rates as they were measured."""
    table = _table((Provenance.MEASURED, "copy", "best step", "peak"))
    for entry in entries:
        rates = (entry.peak_bytes, "B/s"), (entry.best_rate, "op/s"), (entry.peak_flops, "op/s")
        table.add_row(entry.key, *(units.si(value, unit) for value, unit in rates))
    return table


def _costs(entries: list[ProfileEntry]) -> Table:
    """Fitted prices that do not depend on a product's shape."""
    table = _table((Provenance.PROJECTED, "a call", "relu, near", "far", "SGD, near", "far"))
    for entry in entries:
        found = figures(entry)
        each = (found.element_near, found.element_far, found.parameter_near, found.parameter_far)
        table.add_row(entry.key, units.duration(found.call), *map(_each, each))
    return table


def _products(entries: list[ProfileEntry]) -> Table:
    """Rates of forward products over shapes, by the fitted prices."""
    names_ = [name for name, _ in figures(entries[0]).products] if entries else []
    table = _table((f"{Provenance.PROJECTED}: product B·N·M, op/s", *names_))
    for entry in entries:
        table.add_row(entry.key, *(units.si(rate) for _, rate in figures(entry).products))
    return table


def _each(seconds: float | None) -> str:
    return "" if seconds is None else units.si(seconds, "s")


def _table(heads: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right")
    return table
