"""The predicted time and memory of a run as lines, before it runs."""

from __future__ import annotations

from tuisim import units
from tuisim.accounting.formulas import FORMULAS
from tuisim.features.setup.cost_view import MAX_WIDTH, MIN_WIDTH, title
from tuisim.features.setup.edits import Change
from tuisim.predict.background import SOON, Measuring, PredictionState
from tuisim.predict.prediction import Interval, Prediction, RunMemory
from tuisim.program import Op
from tuisim.terminal.lines import PHASE_TONES, Line, Span, Tone, width_of, wrap
from tuisim.terminal.text import duration_words, interval_words, weight

ROWS, FOLDED_ROWS = 8, 2
"""Lines that are always taken, so that nothing around them moves."""
LABEL, FIGURE = 15, 10
"""Cells of a row's label, and at least of its figure."""
MIN_BAR, MAX_BAR = 8, 20
ALIKE = 0.05
"""Shares that differ by less are shown as one change."""
MANY = 10
"""A change by this factor or more is shown as a factor, not in percent."""


def column(state: PredictionState, change: Change | None, width: int) -> list[Line]:
    """Return times with their intervals, memory, the most expensive operation, and what the last edit changed."""
    width = min(max(MIN_WIDTH, width), MAX_WIDTH)
    head = title("time and memory", width, "projected")
    if state.prediction is None:
        return [head, *_without_prediction(state, width)]
    found = state.prediction
    times = _times(found)
    figure = max(FIGURE, *(len(duration_words(time.likely)) for _, time, _ in times if time is not None))
    op, share = found.most_expensive
    return [
        head,
        *(_time_row(*row, figure) for row in times),
        _memory_row(found.memory, figure),
        ((f"{'most expensive':<{LABEL}}", Tone.DIM), (f"{units.percent(share, 0):>{figure}}  ", Tone.TEXT), _operation(op)),
        change_line(change, width),
        _footer(state, found, width),
    ]


def folded(state: PredictionState, change: Change | None, width: int) -> list[Line]:
    """Return the times in one line, and what the last edit changed or the most expensive operation in another."""
    found = state.prediction
    if found is None:
        return _without_prediction(state, width)[:FOLDED_ROWS]
    if state.measuring is not None or state.trouble:
        return [_times_line(found, width), _footer(state, found, width)]
    op, share = found.most_expensive
    changed = change_line(change, width)
    dearest: Line = ((f"{units.percent(share, 0)} of the step: ", Tone.DIM), _operation(op))
    if not changed:
        return [_times_line(found, width), dearest]
    beside = width_of(changed) + 3 + width_of(dearest) <= width
    return [_times_line(found, width), (*changed, ("   ", Tone.TEXT), *dearest) if beside else changed]


def _without_prediction(state: PredictionState, width: int) -> list[Line]:
    memory = [] if state.memory is None else [_memory_row(state.memory, FIGURE)]
    if state.measuring is not None:
        return [_progress(state.measuring, width), ((state.trouble, Tone.DIM),), *memory]
    words = wrap(state.trouble, width, Tone.DIM if state.trouble == SOON else Tone.WARNING)
    return [*words[: ROWS - 1 - len(memory)], *memory]


def _footer(state: PredictionState, found: Prediction, width: int) -> Line:
    """Return the progress of a calibration, what is wrong with the machine profile, or what the times hold for."""
    if state.measuring is not None:
        return _progress(state.measuring, width)
    return ((state.trouble, Tone.WARNING),) if state.trouble else ((machine_words(found, width), Tone.DIM),)


def _memory_row(memory: RunMemory, figure: int) -> Line:
    words = "  counted, with its data" if memory.data is not None else "  counted, without its data"
    return (f"{'memory':<{LABEL}}", Tone.DIM), (f"{weight(memory.total):>{figure}}", Tone.TEXT), (words, Tone.DIM)


# ── times ──


def _times(found: Prediction) -> list[tuple[str, Interval | None, str]]:
    """Return (label, time, why there is none)."""
    whole, steps = found.wall_seconds, found.seconds
    name = "whole run, max" if found.config.early_stopping == "yes" else "whole run"
    if found.config.known_epochs is None:
        run: tuple[str, Interval | None, str] = ("whole run", None, "until stopped")
    elif whole is None and steps is not None:
        run = ("all steps", steps, "")
    else:
        run = (name, whole, "known once the file is read")
    return [("step", found.step, ""), ("epoch", found.epoch, "known once the file is read"), run]


def _time_row(label: str, time: Interval | None, why_none: str, figure: int) -> Line:
    head = (f"{label:<{LABEL}}", Tone.DIM)
    if time is None:
        return head, (why_none, Tone.DIM)
    return head, (f"{duration_words(time.likely):>{figure}}", Tone.STRONG), (f"  {interval_words(time)}", Tone.DIM)


def _times_line(found: Prediction, width: int) -> Line:
    """Return as many of the times as fit, that of the whole run first."""
    rows = [(label, time) for label, time, _ in reversed(_times(found)) if time is not None]
    totals = {"whole run": " total", "whole run, max": " at most", "all steps": " for all steps"}
    words = {"step": "/step", "epoch": "/epoch", **totals}
    pieces = [f"{duration_words(time.likely)}{words[label]}" for label, time in rows]
    tag, interval = "  projected", f" ({interval_words(rows[0][1])})"
    while len(pieces) > 1 and len(", ".join(pieces)) + len(tag) > width:
        pieces.pop()
    if len(", ".join(pieces)) + len(interval) + len(tag) > width:
        interval = ""
    first, *others = pieces
    rest = "".join(f", {piece}" for piece in others)
    return (first, Tone.STRONG), (interval, Tone.DIM), (rest, Tone.TEXT), (tag, Tone.DIM)


# ── words ──


def _operation(op: Op) -> Span:
    words = FORMULAS[op.kind].what
    return words if op.layer is None else f"layer {op.layer}: {words}", PHASE_TONES.get(op.phase.value, Tone.DIM)


def change_line(change: Change | None, width: int = MAX_WIDTH) -> Line:
    """Return what an edit changed: `▲ +12 % time, +3.1 M multiplications per example`, `▼ run ÷ 17, step × 16`.

    The last parts are left out if there is no room; the line is empty if nothing changed.
    """
    if change is None:
        return ()
    step, time = change.step or 0.0, change.time or 0.0
    times = [(change.time, change.of), (change.step, "step")]  # a larger batch makes a step longer and a run shorter
    if abs(step - time) < ALIKE * max(1.0, abs(time)):
        times = [(change.time, "time")]
    parts = [_signed_share(share, of) for share, of in times if share is not None]
    if change.multiplications is not None:
        more = abs(change.multiplications)
        figure = units.short_count(more, 6) if more < 1e300 else "more than 1e300"
        parts.append(f"{'+' if change.multiplications > 0 else '−'}{figure} multiplications per example")
    if change.memory is not None:
        parts.append(_signed_share(change.memory, "memory"))
    if not parts:
        return ()
    while len(parts) > 1 and 2 + len(", ".join(parts)) > width:
        parts.pop()
    values = (change.time, change.step, change.multiplications, change.memory)
    is_more = next(value for value in values if value is not None) > 0
    return ("▲ " if is_more else "▼ ", Tone.WARNING if is_more else Tone.GOOD), (", ".join(parts), Tone.TEXT)


def _signed_share(share: float, of: str) -> str:
    """Return `+12 % time`, `−3.0 % time`, `time × 12` or `time ÷ 12`."""
    if share >= MANY:
        return f"{of} × {units.short_count(round(1 + share), 9)}"
    if 0 < 1 + share <= 1 / MANY:
        return f"{of} ÷ {units.short_count(round(1 / (1 + share)), 9)}"
    return f"{'+' if share > 0 else '−'}{100 * abs(share):.{0 if abs(share) >= 0.1 else 1}f} % {of}"


def machine_words(found: Prediction, width: int) -> str:
    """Return what the times hold for, in as many words as there is room for."""
    by = f"{found.backend}@{found.threads}"
    if found.pilot is not None:
        timed = f"pilot of {units.duration(found.pilot)}"
        ways = [f"{timed} on {found.machine}, {by}", f"{timed}, {by}", timed]
    elif found.beyond is not None:
        beyond = f"largest product {units.figure(found.beyond)} × any measured"
        ways = [f"{by}; {beyond}", beyond]
    else:
        ways = [f"on {found.machine}, {by}", f"on {by}", by]
    return next((words for words in ways if len(words) <= width), ways[-1])


def _progress(measuring: Measuring, width: int) -> Line:
    """Return how far a calibration has come, with a bar if there is room."""
    words = f"measuring this machine … {measuring.words}"
    bar = min(MAX_BAR, width - len(words) - len(measuring.key) - 4)
    key = (f"  {measuring.key}", Tone.DIM)
    if bar < MIN_BAR:
        return (words, Tone.TEXT), key
    full = round(bar * measuring.done / measuring.of)
    return (f"{words}  ", Tone.TEXT), ("━" * full, Tone.ACCENT), ("─" * (bar - full), Tone.FAINT), key
