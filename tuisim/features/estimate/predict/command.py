"""`tuisim predict`: the time and the memory of a run before it starts."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Annotated

from cyclopts import Parameter

from tuisim import data, units
from tuisim.backends import choose, get_backend, precision
from tuisim.cli.console import ProgressLine, note, print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.config import RunConfig
from tuisim.data.info import KeptRows, is_file, is_regenerated
from tuisim.errors import DataError, ExitCode
from tuisim.features.estimate.times import PILOT_HELP, memory_parts
from tuisim.predict import predictor, profiles
from tuisim.predict.calibrate import calibrate
from tuisim.predict.prediction import Prediction
from tuisim.predict.predictor import Predictor
from tuisim.predict.profile import ProfileKey
from tuisim.terminal.lines import Line, Tone
from tuisim.terminal.table import text_table
from tuisim.units import layers_text

FULL_WIDTH = 120
"""Columns if there is no terminal."""
MAX_ROWS = 8
"""Operations that have a row of their own."""
MAX_DIGITS = 15


def predict(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    machine: Annotated[
        str | None, Parameter(name="--as", help="Predict for another machine: name of an imported profile, or a file")
    ] = None,
    pilot: Annotated[bool, Parameter(negative="--no-pilot", help=PILOT_HELP)] = True,
    json_: Json = False,
) -> int:
    """Predict a run: its time with an interval, its memory, and its most expensive operations."""
    run, rows, loading = _read(resolve(layers, options, config))
    by = calibrated_predictor(run.resolved()) if machine is None else predictor.named_predictor(machine)
    found = replace(by.predict_timed(run, rows=rows) if pilot else by.predict(run, rows=rows), loading=loading)
    print_result(json_, found.to_dict, lambda frame: _lines(found, machine, frame.width), FULL_WIDTH)
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


def calibrated_predictor(config: RunConfig) -> Predictor:
    """Return this machine's predictor with an entry for `config`; a missing one is measured first, quickly, and kept."""
    found = profiles.own()
    key = ProfileKey.of(replace(config, backend=choose(config).name).resolved())
    if found.trouble:
        note(found.trouble)
    if found.profile is not None and found.profile.entry(key) is not None:
        return Predictor(found.profile)
    get_backend(key.backend)  # which says why it cannot work here
    note(f"measuring {key.key} quickly, once; tuisim calibrate is more exact")
    with ProgressLine() as line:
        profile = calibrate([key], found.profile, lambda _, done, of: line.show(f"{done} of {of} networks"), quick=True)
    try:
        profile = profiles.keep(profile).profile
    except DataError as error:
        if str(error) != found.trouble:  # which was printed before
            note(f"{error}; it is measured again next time")
    return Predictor(profile)


def _lines(found: Prediction, machine: str | None, width: int) -> list[Line]:
    config = found.config
    where = f"as on {machine}: {found.machine}" if found.foreign else found.machine
    how = "by the machine profile" if found.pilot is None else f"with a pilot run of {units.duration(found.pilot)}"
    precise = precision(found.backend, config.dtype)
    head = f" · {config.loss} · {config.optimizer} · batch {found.ledger.batch:,} · {precise} · {found.backend}@{found.threads}"
    lines: list[Line] = [
        ((layers_text(config.layers), Tone.STRONG), (head, Tone.TEXT)),
        ((f"{where}; all times projected, {how}", Tone.DIM),),
        *text_table(("", "estimate", "low", "high", ""), _times(found), width, left=(0, 4)),
        ((_memory(found), Tone.TEXT),),
    ]
    if found.loading is not None:
        words = f"reading the data took {units.duration(found.loading)} here, measured; it comes before the first batch"
        lines.append(((words, Tone.TEXT),))
    lines += text_table(("layer", "phase", "operation", "estimate", "share of step"), _operations(found), width, left=(1, 2))
    if found.beyond is not None:
        words = f"its largest product is {units.figure(found.beyond)} × the largest calibrated one: outside the calibrated range"
        lines.append(((words, Tone.DIM),))
    return lines


def _times(found: Prediction) -> list[tuple[str, ...]]:
    examples, epochs = found.ledger.examples, found.config.known_epochs
    generated = examples is not None and is_regenerated(found.config, examples)
    stop = "; early stopping may end it before" * (found.config.early_stopping == "yes")
    times = [
        ("step", found.step, f"{units.si(found.examples_per_second)} examples/s"),
        ("epoch", found.epoch, "" if examples is None else units.counted(examples, "example", MAX_DIGITS)),
        ("all steps", found.seconds, "" if epochs is None else units.counted(epochs, "epoch", MAX_DIGITS)),
        ("whole run", found.wall_seconds, f"with {'generating the rows, ' * generated}validation and the training loop{stop}"),
    ]
    return [
        (name, *(units.duration(value) for value in (one.likely, one.low, one.high)), remark)
        for name, one, remark in times
        if one is not None
    ]


def _memory(found: Prediction) -> str:
    words = ", ".join(f"{units.size(value)} {name}" for name, value in memory_parts(found.memory))
    unread = "; plus the data, whose size is known once the file is read" if found.memory.data is None else ""
    return f"memory {units.size(found.memory_bytes)}: {words}{unread}"


def _operations(found: Prediction) -> list[tuple[str, ...]]:
    """Return a row for each of the most expensive operations of a step, and one for all others."""
    whole = found.step.likely
    shown = sorted(found.prices, key=lambda one: -one[1])[:MAX_ROWS]
    names = {id(op): row.what for op, row in zip(found.ledger.program.ops, found.ledger.rows, strict=True)}
    rows: list[tuple[str, ...]] = []
    for op, seconds in shown:
        layer = "" if op.layer is None else str(op.layer)
        what = names.get(id(op), op.kind.value)
        rows.append((layer, op.phase.value, what, units.duration(seconds), units.percent(seconds / whole)))
    if (others := len(found.prices) - len(shown)) > 0:
        rest = max(0.0, whole - sum(seconds for _, seconds in shown))
        rows.append(("", "", f"{others} more", units.duration(rest), units.percent(rest / whole)))
    return rows
