"""Panel 4: throughput, utilization, the time by phase, and the time left. No rate is shown while the run is throttled."""

from __future__ import annotations

from itertools import accumulate, pairwise

from tuisim import units
from tuisim.engine.events import Snapshot, State
from tuisim.errors import printable
from tuisim.features.run.state import RunState
from tuisim.measure.ceiling import ABOVE, above_words, share_text
from tuisim.measure.peaks import Peaks
from tuisim.provenance import Provenance, Tagged
from tuisim.terminal.lines import (
    BLANK,
    PHASE_TONES,
    Block,
    ChartStyle,
    Frame,
    Line,
    Tone,
    clip,
    ends,
    fold,
    spread,
    width_of,
    wrap,
)
from tuisim.terminal.plot import bar, columns_of, large

_ORDER = tuple(PHASE_TONES)
_TALL = 20
"""Rows from which the throughput is written in large digits."""
_NARROW = 48
"""Cells below which the phases share lines."""


def throughput_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return throughput, utilization, history, phases and progress: as many of them as fit."""
    snapshot, predicted, width = state.snapshot, state.predicted, frame.width
    if snapshot is None:
        return [] if state.failure else wrap("waiting for the first step", width, Tone.DIM)
    blocks = [
        Block(0, _rates(snapshot, frame)),
        Block(1, _utilization(snapshot, frame)),
        Block(5, _above_peak(snapshot, width)),
        Block(7, _history(snapshot, frame)),
        Block(4, _phases(snapshot, frame)),
        Block(8, _overhead(snapshot, width)),
        Block(2, _progress(state, snapshot, frame)),
        Block(3, predicted.step_line(snapshot, frame) if predicted else []),
        Block(6, predicted.run_line(snapshot, frame) if predicted else []),
        Block(5, _pinned(snapshot.peaks, width)),
    ]
    lines = fold(blocks, frame.height)
    notes = [line for note in snapshot.notes for line in wrap(note, width, Tone.DIM)]
    return [*lines, *notes] if notes and (frame.zoomed or len(lines) + len(notes) <= frame.height) else lines


def _rates(snapshot: Snapshot, frame: Frame) -> list[Line]:
    rates, width = snapshot.throughput, frame.width
    if snapshot.speed_limit is not None:
        return wrap("throughput is not shown while throttled", width, Tone.WARNING)
    if rates is None:  # a run may end before its first window is full
        if snapshot.mean_examples_per_second is None:
            return wrap("" if snapshot.state.ended else "measuring …", width, Tone.DIM)
        words = "mean of the run" if snapshot.state.ended else "mean so far"
        return _examples(snapshot.mean_examples_per_second, ((words, Tone.DIM),), frame)
    variation: Line = ((f"± {100 * rates.spread:.0f} %".rjust(7), Tone.DIM),)
    pieces: list[Line] = []
    for value, unit, cells in ((rates.steps_per_second, " steps/s", _column(width)), (rates.flops_per_second, "FLOP/s", 6)):
        number, _, prefix = units.si(value).partition(" ")
        pieces.append(((number.rjust(cells), Tone.TEXT), (f" {prefix or ' '}{unit}".ljust(11), Tone.DIM)))
    return [*_examples(rates.examples_per_second, variation, frame), *spread(pieces, width, gap=1)]


def _column(width: int) -> int:
    """Return the cells of the first column of numbers."""
    return 9 if width < _NARROW else 13


def _examples(rate: float, right: Line, frame: Frame) -> list[Line]:
    """Return examples/s, in large digits if there is room."""
    written = units.short_count(round(rate), _column(frame.width))
    if frame.height >= _TALL and frame.chart_style is not ChartStyle.ASCII:
        rows = large(written)
        unit: Line = ((" examples/s", Tone.STRONG),)
        return [
            BLANK,
            *(((row, Tone.ACCENT),) for row in rows[:-1]),
            ends(((rows[-1], Tone.ACCENT), *unit), right, frame.width),
            BLANK,
        ]
    head: Line = ((written.rjust(_column(frame.width)), Tone.ACCENT), (" examples/s", Tone.STRONG))
    return [ends(head, right, frame.width)]


def _utilization(snapshot: Snapshot, frame: Frame) -> list[Line]:
    rates, peaks, column = snapshot.throughput, snapshot.peaks, _column(frame.width)
    if snapshot.speed_limit is not None or peaks is None:
        return []
    peak = f"{units.si(peaks.flops_per_second)}FLOP/s"
    if rates is None:
        return [(("peak".rjust(column) + " ", Tone.DIM), (f"{peak}, measured", Tone.TEXT))]
    products, rate = peaks.products, rates.multiply_adds_per_second
    share = products.share(rate)
    figure = share_text(share, products.exceeded_by(rate)).rjust(column)
    copies = f"; memory copies {units.si(peaks.bytes_per_second)}B/s" if frame.height >= _TALL else ""
    ways = (f"of peak ({peak}, measured{copies})", f"of peak ({peak})", f"of {peak}")
    words = next((words for words in ways if len(figure) + 1 + len(words) <= frame.width), ways[-1])
    line: Line = ((figure, Tone.STRONG), (f" {words}", Tone.TEXT))
    room = frame.width - width_of(line) - 2
    return [(*line, ("  ", Tone.TEXT), *_bar(share, min(room, 30), Tone.ACCENT, frame))] if room >= 6 else [line]


def _above_peak(snapshot: Snapshot, width: int) -> list[Line]:
    """Explain a rate above the measured peak."""
    rates, peaks = snapshot.throughput, snapshot.peaks
    if snapshot.speed_limit is not None or rates is None or peaks is None:
        return []
    if not peaks.products.exceeded_by(rates.multiply_adds_per_second):
        return []
    return wrap(f"{ABOVE} {above_words(peaks.products, 'the measured peak')}", width, Tone.WARNING)


def _history(snapshot: Snapshot, frame: Frame) -> list[Line]:
    history = snapshot.throughput_history
    if snapshot.speed_limit is not None or len(history) < 2:
        return []
    top = max(history)
    label = f"{units.si(top)} max".rjust(13) + " "
    height = 4 if frame.height >= 24 else 2 if frame.height >= 13 else 1
    width = max(8, frame.width - len(label))
    rows = columns_of(history[-width:], min(width, 2 * len(history)), height, frame.chart_style)
    heads = [label, *["0".rjust(13) + " "] * (height > 1)]
    heads[1:1] = [" " * len(label)] * (height - len(heads))
    return [((head, Tone.DIM), (row, Tone.AREA)) for head, row in zip(heads, rows, strict=True)]


def _phases(snapshot: Snapshot, frame: Frame) -> list[Line]:
    """Return the time of a step by phase: a bar per phase, or one bar for all if five do not fit."""
    found = {phase: seconds for phase, seconds in snapshot.phase_seconds if phase in PHASE_TONES}
    total = sum(found.values())
    if total <= 0:
        return []
    if frame.height < 12 or frame.width < _NARROW:
        return _one_bar(found, total, frame)
    lines: list[Line] = []
    for phase in _ORDER:
        seconds = found.get(phase)
        if seconds is None:
            continue
        head: Line = (
            (phase.rjust(13), PHASE_TONES[phase]),
            (units.si(seconds, "s").rjust(9), Tone.TEXT),
            (units.percent(seconds / total).rjust(8) + "  ", Tone.DIM),
        )
        room = frame.width - width_of(head)
        lines.append((*head, *_bar(seconds / max(found.values()), room, PHASE_TONES[phase], frame)[:1]))
    samples = units.count(snapshot.phase_samples)
    return [((f"one step by phase (median of {samples} sampled steps)", Tone.DIM),), *lines]


def _one_bar(found: dict[str, float], total: float, frame: Frame) -> list[Line]:
    shares = {phase: found[phase] / total for phase in _ORDER if phase in found}
    pieces: list[Line] = [
        ((phase + " ", PHASE_TONES[phase]), (f"{100 * share:2.0f} %", Tone.TEXT)) for phase, share in shares.items()
    ]
    glyphs = dict(zip(_ORDER, "dflbu" if frame.chart_style is ChartStyle.ASCII else "░█▒█▓", strict=True))
    ends_at = [round(frame.width * share) for share in accumulate(shares.values(), initial=0.0)]
    strip: Line = tuple(
        (glyphs[phase] * (end - start), PHASE_TONES[phase]) for phase, (start, end) in zip(shares, pairwise(ends_at), strict=True)
    )
    return [strip, *spread(pieces, frame.width, gap=2)]


def _overhead(snapshot: Snapshot, width: int) -> list[Line]:
    """Return the shares of time that validation and instrumentation take, pauses left out."""
    if snapshot.training_seconds <= 0:
        return []
    head = "validation" if width < _NARROW else "validation".rjust(_column(width))
    parts = ((head, snapshot.validation_seconds), ("gradient samples", snapshot.instrumentation_seconds))
    pieces: list[Line] = [
        ((name, Tone.DIM), (units.percent(seconds / snapshot.training_seconds).rjust(7), Tone.TEXT)) for name, seconds in parts
    ]
    return spread([*pieces, (("of time", Tone.DIM),)], width, gap=2)[:1]


def _progress(state: RunState, snapshot: Snapshot, frame: Frame) -> list[Line]:
    """Return the bar of the run and the time left; that of the epoch if the run trains until stopped."""
    if snapshot.total_steps is None:
        words: Line = (("until stopped", Tone.TEXT),)
        examples = snapshot.config.examples
        return [_with_bar("epoch", snapshot.examples_this_epoch / examples, words, frame)] if examples else [words]
    share = snapshot.step / snapshot.total_steps if snapshot.total_steps else 1.0
    seconds = snapshot.seconds_left if state.predicted is None else state.predicted.seconds_left(snapshot)
    left = units.duration(seconds) if not state.status.ended else ""
    words = ((state.status.value if state.status is not State.TRAINING else "", Tone.DIM),)
    if left:
        words = ((Tagged(left.rjust(11) + " left", Provenance.PROJECTED), Tone.TEXT), (" projected", Tone.DIM))
    return [_with_bar("run", share, words, frame)]


def _with_bar(name: str, share: float, words: Line, frame: Frame) -> Line:
    percent = f"{100 * share:3.0f} %"
    head = f"{name} {percent} " if frame.width < _NARROW else f"{name:>13} {percent}  "
    room = frame.width - width_of(words) - len(head) - 1
    if room < 0:
        return words
    if room < 4:
        return ((head, Tone.DIM), *words)
    return ((head, Tone.DIM), *_bar(share, room, Tone.ACCENT, frame), (" ", Tone.TEXT), *words)


def _bar(share: float, width: int, tone: Tone, frame: Frame) -> Line:
    drawn, rest = bar(share, width, frame.chart_style)
    return ((drawn, tone), (rest, Tone.FAINT))


def _pinned(peaks: Peaks | None, width: int) -> list[Line]:
    """Return a warning if an environment variable pins the BLAS kernel."""
    if peaks is None or peaks.blas is None or peaks.blas.pinned_by is None:
        return []
    pinned = printable(peaks.blas.pinned_by)
    if width < _NARROW:
        return [((clip(f"! {pinned} may slow it", width), Tone.WARNING),)]
    return wrap(f"! {pinned} set: the kernel may be slower than this processor allows", width, Tone.WARNING)
