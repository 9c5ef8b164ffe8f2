"""`tuisim predict`: the time and the memory that a run will take, before it is made."""

from __future__ import annotations

import json
from dataclasses import replace
from time import perf_counter
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import data, units
from tuisim.backends import choose, get_backend, precision
from tuisim.cli.console import CommandConsole, note, styled
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.cli.progress import ProgressLine
from tuisim.config import RunConfig
from tuisim.data.info import KeptRows, is_file, is_regenerated
from tuisim.errors import DataError, ExitCode
from tuisim.predict import predictor as outlook
from tuisim.predict import profiles as cards
from tuisim.predict.calibrate import ProfileKey, calibrate
from tuisim.predict.interval import Interval
from tuisim.predict.prediction import Prediction
from tuisim.predict.predictor import Predictor
from tuisim.units import layers_text

FULL_WIDTH = 120
"""Columns where there is no terminal to ask."""
MOST_ROWS = 8
"""Operations that have a row of their own."""
MOST_DIGITS = 15


def predict(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    machine: Annotated[str | None, Parameter(name="--as", help="As on the machine of an imported card, or of a file")] = None,
    json_: Json = False,
) -> int:
    """Predict what a run will take: time with a band, memory, and which operations it goes to."""
    run, rows, loading = _read(resolve(layers, options, config))
    by = here(run.resolved()) if machine is None else outlook.of(machine)
    found = replace(by.predict(run, rows=rows), loading=loading)
    if json_:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        _print(found, machine, CommandConsole(FULL_WIDTH))
    return ExitCode.DONE


def _read(config: RunConfig) -> tuple[RunConfig, KeptRows | None, float | None]:
    """Return the run with the volume of its file, the rows it keeps, and the seconds that reading took; as given without a file.

    Raises DataError or MemoryNeeded as the run would.
    """
    if not is_file(config):
        return config, None, None
    start = perf_counter()
    dataset = data.load(config)
    return replace(config, examples=dataset.examples), dataset.kept_rows, perf_counter() - start


def here(config: RunConfig) -> Predictor:
    """This machine's outlook, with a price for `config`: what is missing is measured first, quickly, and kept."""
    found = cards.own()
    backend, threads = choose(config).name, config.resolved().threads
    assert threads is not None
    job = ProfileKey.of(backend, threads, config.dtype)
    if found.trouble:
        note(found.trouble)
    if found.card is None or found.card.entry(job.backend, job.threads, job.dtype) is None:
        get_backend(backend)  # which says so where it cannot work here
        note(f"measuring {job.key} quickly, once; tuisim calibrate is more exact")
        with ProgressLine() as line:
            card = calibrate([job], found.card, lambda _, done, of: line.show(f"{done} of {of} networks"), quick=True)
        try:
            card = cards.keep(card).card
        except DataError as error:
            if str(error) != found.trouble:  # which was said before
                note(f"{error}; it is measured again next time")
        return Predictor(card)
    return Predictor(found.card)


def _print(found: Prediction, machine: str | None, console: Console) -> None:
    config = found.config
    where = f"as on {machine}: {found.machine}" if found.foreign else found.machine
    console.print(
        styled(
            "[bold]{}[/] · {} · {} · batch {} · {} · {}@{}",
            layers_text(config.layers),
            config.loss,
            config.optimizer,
            f"{found.ledger.batch:,}",
            precision(found.backend, config.dtype),
            found.backend,
            found.threads,
        ),
        soft_wrap=True,
    )
    console.print(f"{where}; all times projected", style="dim", soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for i, head in enumerate(("", "likely", "from", "to", "")):
        table.add_column(head, justify="right" if 0 < i < 4 else "left")
    for name, band, remark in _times(found):
        if band is not None:
            table.add_row(name, *(units.duration(value) for value in (band.likely, band.low, band.high)), remark)
    console.print(table)
    console.print(_memory(found), soft_wrap=True)
    if found.loading is not None:
        console.print(f"reading the data took {units.duration(found.loading)} here, measured; it comes before the first batch")
    console.print(_operations(found))
    if found.beyond is not None:
        times = units.figure(found.beyond)
        console.print(
            f"its largest product is {times} × as large as any that was measured: the bands do not know of that", style="dim"
        )
    if not found.foreign and abs(found.slowdown - 1) >= 0.1:
        why = "by how it is now and how it was when calibrated"
        console.print(f"in these times: {found.slowdown:.2f} × this machine's best, {why}", style="dim")


def _times(found: Prediction) -> list[tuple[str, Interval | None, str]]:
    examples, epochs = found.ledger.examples, found.config.epochs
    made = examples is not None and is_regenerated(found.config, examples)
    return [
        ("step", found.step, f"{units.si(found.examples_per_second)} examples/s"),
        ("epoch", found.epoch, "" if examples is None else units.counted(examples, "example", MOST_DIGITS)),
        ("all steps", found.seconds, "" if epochs is None else units.counted(epochs, "epoch", MOST_DIGITS)),
        ("wall clock", found.wall_seconds, f"with {'making the rows, ' * made}validation and the loop"),
    ]


def _memory(found: Prediction) -> str:
    memory = found.memory
    parts = (
        ("parameters", memory.parameters), ("gradients", memory.gradients), ("optimizer", memory.optimizer),
        ("activations", memory.activations), ("data", memory.data), ("held out", memory.held_out),
        ("aside", memory.aside + memory.batch),
    )  # fmt: skip
    words = ", ".join(f"{units.size(value)} {name}" for name, value in parts if value)
    unread = "; with the data, which only the file would tell, more" if memory.data is None else ""
    return f"memory {units.size(found.memory_bytes)}: {words}{unread}"


def _operations(found: Prediction) -> Table:
    """The dearest operations of a step."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head, side in (
        ("layer", "right"),
        ("phase", "left"),
        ("operation", "left"),
        ("likely", "right"),
        ("of the step", "right"),
    ):
        table.add_column(head, justify=side)  # type: ignore[arg-type]
    rows = sorted(found.prices, key=lambda one: -one[1])[:MOST_ROWS]
    names = {id(op): row.what for op, row in zip(found.ledger.program.ops, found.ledger.rows, strict=True)}
    for op, seconds in rows:
        layer = "" if op.layer is None else str(op.layer)
        share = seconds / found.step.likely if found.step.likely else 0.0
        what = names.get(id(op), op.kind.value)
        table.add_row(layer, op.phase.value, what, units.duration(seconds), units.percent(share))
    if (others := len(found.prices) - len(rows)) > 0:
        shown = sum(seconds for _, seconds in rows) + found.overhead
        rest = max(0.0, found.step.likely - shown)
        of_all = units.percent(rest / found.step.likely) if found.step.likely else ""
        table.add_row("", "", f"{others} more", units.duration(rest), of_all)
    if found.overhead:
        table.add_row("", "", "outside them", units.duration(found.overhead), units.percent(found.overhead / found.step.likely))
    return table
