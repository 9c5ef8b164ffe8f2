"""The page Any volume as lines: the time on each backend, how it is computed, and the times of other volumes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuisim import units
from tuisim.backends import precision_notes
from tuisim.config import RunConfig
from tuisim.data.info import is_regenerated
from tuisim.errors import printable
from tuisim.features.estimate.times import TimeRow, figure, time_lines, time_places
from tuisim.features.estimate.volume.estimate import TimeEstimate
from tuisim.predict.predictor import Priced
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Span, Tone, clip, fold, spread, wrap
from tuisim.terminal.table import Column, drop_columns, fits, table, visible_rows
from tuisim.terminal.text import interval_words, network_subjects, page_header

TIMES_TAG: Provenances = (("", Provenance.PROJECTED),)
HOW_TAG: Provenances = (("", Provenance.COUNTED), ("examples and epochs", Provenance.GIVEN), ("times", Provenance.PROJECTED))
VOLUMES_TAG: Provenances = (("", Provenance.PROJECTED), ("operations", Provenance.COUNTED))
TITLES = ("backend", "estimate", "low to high")
MAX_DIGITS = 11
"""Characters of a count; a longer one is rounded."""
WHOLE = "times are of the whole run: its steps, generating rows, validation and the training loop; reading a file is not included"
STEPS_ALONE = "the steps alone, since the time of the other parts is not known"


@dataclass(frozen=True, slots=True)
class VolumeState:
    """The time estimates of a network for the volume in front and for others, and the selected backend."""

    config: RunConfig
    estimate: TimeEstimate | None = None
    volumes: tuple[TimeEstimate, ...] = ()
    selected: int = 0
    failure: str = ""
    missing: str = ""
    """The reason why there are no prices."""
    is_assumed: bool = False
    """True if the epochs are assumed."""

    @property
    def rows(self) -> tuple[Priced, ...]:
        """The backends of the volume in front, or of any."""
        one = self.estimate or next(iter(self.volumes), None)
        return one.rows if one else ()


def page(state: VolumeState, frame: Frame) -> list[Line]:
    """Return the header, and the times of all volumes, or of the one in front and how they are computed."""
    lines = [*header(state, frame), BLANK, *(volume_lines(state, frame) if state.volumes else times(state, frame))]
    one = state.estimate
    if one is None:
        return lines
    lines += [BLANK, *_operations(one, 0, frame.width), BLANK]
    for row in range(len(one.rows)):
        lines += [*_machine(one, row, frame.width), *_steps(one, row, frame.width)]
    return [*lines, BLANK, *_notes(state, frame.width)]


def header(state: VolumeState, frame: Frame) -> list[Line]:
    """Return the network, its configuration, and the volume."""
    config, one = state.config.resolved(), state.estimate or next(iter(state.volumes), None)
    words = ""
    if one is not None:
        words = units.counted(one.epochs, "epoch", 9) + " assumed" * state.is_assumed
        if state.estimate is not None:
            words = f"{units.short_count(one.examples, 9)}{' examples' * (frame.width >= 72)} × {words}"
    details = f"{config.optimizer} · batch {units.count(config.full_batch)} · {config.dtype}"
    parameters = f"{details} · {units.count(config.parameter_count)} parameters"
    return [page_header("time estimate", network_subjects(config), [parameters, details], ((words, Tone.STRONG),), frame.width)]


# ── the time on each backend ──


def times(state: VolumeState, frame: Frame) -> list[Line]:
    """Return one row for each backend on one axis of time."""
    if state.failure:
        return wrap(printable(state.failure, 500), frame.width, Tone.BAD)
    if not state.rows:
        return wrap(state.missing, frame.width, Tone.DIM)
    return time_lines(TITLES, [_time_row(row) for row in state.rows], state.selected, frame)


def time_row_places(state: VolumeState, frame: Frame) -> list[int | None]:
    """Return the backend on each line."""
    return time_places(len(state.rows), state.selected, frame) if state.rows and not state.failure else []


def _time_row(row: Priced) -> TimeRow:
    run = row.run_seconds
    seconds = run if run is not None and math.isfinite(run.high) else None
    reason = "" if seconds else printable(row.reason or "not known", 200)
    return TimeRow(row.label, units.duration(run.likely if run else None), (interval_words(seconds),), seconds, reason)


# ── how it is computed ──


def how(state: VolumeState, frame: Frame) -> list[Line]:
    """Return how the selected backend's time is computed: operations, steps and the time of a step."""
    if state.estimate is None or state.selected >= len(state.rows):
        return []
    parts = (_machine, _operations, _steps)
    blocks = [Block(i, part(state.estimate, state.selected, frame.width)) for i, part in enumerate(parts)]
    if frame.zoomed:
        return [line for block in blocks for line in block.lines]
    return fold(blocks, frame.height)


def _machine(one: TimeEstimate, selected: int, width: int) -> list[Line]:
    price = one.rows[selected]
    machine = printable(f"as on {price.machine}, another machine" if price.foreign else price.machine, 200)
    room = max(1, width - len(price.label) - 2)
    return [((price.label, Tone.STRONG), (f"  {clip(machine, room)}", Tone.DIM))]


def _operations(one: TimeEstimate, _: int, width: int) -> list[Line]:
    pieces = [
        figure(units.short_count(one.operations_per_example, MAX_DIGITS), "operations per example"),
        figure(f"× {units.short_count(one.examples, MAX_DIGITS)}", "examples"),
        figure(f"× {units.counted(one.epochs, 'epoch', MAX_DIGITS)}"),
        figure(f"= {units.si(one.operations)}", "operations", Tone.ACCENT),
    ]
    return spread(pieces, width, gap=1)


def _steps(one: TimeEstimate, selected: int, width: int) -> list[Line]:
    row = one.rows[selected]
    if row.seconds is None or row.step is None:
        return wrap(printable(row.reason or "not known", 300), width, Tone.WARNING)
    rest = one.examples % one.batch
    last = f", the last of {units.short_count(rest)}" if rest else ""
    steps = f"steps per epoch (of {units.short_count(one.batch)} examples{last})"
    pieces = [
        figure(units.short_count(one.steps_per_epoch, MAX_DIGITS), steps),
        figure(f"× {units.counted(one.epochs, 'epoch', MAX_DIGITS)}"),
        figure(f"× {units.duration(row.step.likely)}", "per step, plus shuffling"),
    ]
    whole = row.wall_seconds
    if whole is None:
        words = f"({interval_words(row.seconds)}), the steps alone"
        return spread([*pieces, figure(f"= {units.duration(row.seconds.likely)}", words, Tone.ACCENT)], width, gap=1)
    generated = "generating rows, " * is_regenerated(one.config, one.examples)
    pieces += [
        figure(f"= {units.duration(row.seconds.likely)}"),
        figure(f"+ {units.duration(whole.likely - row.seconds.likely)}", f"{generated}validation, training loop"),
        figure(f"= {units.duration(whole.likely)}", f"({interval_words(whole)})", Tone.ACCENT),
    ]
    return spread(pieces, width, gap=1)


# ── other volumes ──


def volume_lines(state: VolumeState, frame: Frame) -> list[Line]:
    """Return one row for each volume, with the estimate of each backend; without room only some backends."""
    lines: list[Line] = []
    if state.volumes:
        for columns in _chunks(state, frame.width)[: None if frame.zoomed else 1]:
            kept = drop_columns(*_volume_cells(state, columns), ("", "operations"), frame.width)
            heading, *rows = table(*kept, frame.width)
            lines += [*([BLANK] if lines else []), heading, *(rows[i] for i in _visible_volumes(state, frame))]
    if frame.zoomed or not state.volumes:
        lines += [*([BLANK] if lines else []), *_notes(state, frame.width)]
    return lines


def volume_places(state: VolumeState, frame: Frame) -> list[int | None]:
    """Return the volume on each line."""
    return [None, *_visible_volumes(state, frame)] if state.volumes else []


def _visible_volumes(state: VolumeState, frame: Frame) -> range:
    at = next((i for i, one in enumerate(state.volumes) if state.estimate and one.examples == state.estimate.examples), 0)
    return visible_rows(len(state.volumes), frame.height - 1, at)


def _chunks(state: VolumeState, width: int) -> list[list[int]]:
    """Divide the backends that have a price into tables that fit, the selected backend first."""
    places = [i for i, row in enumerate(state.rows) if row.step is not None]
    places.sort(key=lambda i: i != state.selected if state.estimate is not None else False)
    chunks: list[list[int]] = [[]]
    for i in places:
        columns, rows = _volume_cells(state, [*chunks[-1], i])
        if chunks[-1] and not fits(columns, rows, width, 2):
            chunks.append([])
        chunks[-1].append(i)
    return chunks


def _volume_cells(state: VolumeState, backends: list[int]) -> tuple[list[Column], list[list[Span]]]:
    columns = [
        Column("examples"),
        Column("", right=False),
        Column("operations"),
        *(Column(state.rows[i].label) for i in backends),
    ]
    rows: list[list[Span]] = []
    for one in state.volumes:
        tone = Tone.ACCENT if state.estimate and one.examples == state.estimate.examples else Tone.TEXT
        cells: list[Span] = [
            (units.short_count(one.examples, 13), tone),
            (one.volume, Tone.DIM),
            (units.si(one.operations), Tone.TEXT),
        ]
        seconds = [one.rows[i].run_seconds for i in backends]
        rows.append([*cells, *((units.duration(found.likely) if found else "", Tone.STRONG) for found in seconds)])
    return columns, rows


def _notes(state: VolumeState, width: int) -> list[Line]:
    """Return reasons for missing prices, the machines of foreign ones, and reservations."""
    if not state.rows:
        return wrap(state.missing, width, Tone.DIM)
    notes = [f"{one.label}: {printable(one.reason or 'not known', 300)}" for one in state.rows if one.step is None]
    notes += [f"{one.label}: as on {printable(one.machine, 200)}" for one in state.rows if one.foreign and one.step]
    notes += [f"note: {words}" for words in precision_notes((one.backend for one in state.rows), state.config.dtype)]
    known = [row for row in state.rows if row.seconds is not None]
    alone = [row.label for row in known if row.wall_seconds is None]
    notes += [WHOLE] if len(alone) < len(known) else []
    notes += [f"{STEPS_ALONE}: {', '.join(alone)}"] if alone else []
    return [line for words in notes for line in wrap(words, width, Tone.DIM)]
