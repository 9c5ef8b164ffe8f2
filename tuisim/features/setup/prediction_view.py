"""How long the typed run would take, before it runs: a column of times and bands, or two lines.

It draws what is foreseen and knows none of it: predictions and changes come finished.
"""

from __future__ import annotations

import math

from textual.content import Content
from textual.widgets import Static

from tuisim import units
from tuisim.accounting.formulas import FORMULAS
from tuisim.features.setup.cost_view import LEAST_WIDTH, MOST_WIDTH, title
from tuisim.features.setup.edits import Change
from tuisim.measure.machine_speed import QUIET
from tuisim.predict.background import SOON, Measuring, PredictionState
from tuisim.predict.interval import Interval
from tuisim.predict.prediction import Prediction, RunMemory
from tuisim.program import Op, Phase
from tuisim.terminal.columns import weight

ROWS, FOLDED_ROWS = 8, 2
"""Lines it takes whatever there is to say, so that nothing round it moves."""
COLUMN = 10
"""Cells of the figures, at least."""
LEAST_BAR, BAR = 8, 20
ALIKE = 0.05
"""Shares that differ by less are one change."""
MANY = 10
"""From so many times on, more or less, that is what is said."""


class SetupPrediction(Static):
    """Time and memory of the configuration as it is typed."""

    BINDING_GROUP_TITLE = "time and memory"
    HELP = (
        "Predicted from what the operations cost on this machine, which is measured once: likely, and the band that nine of ten "
        "runs lie in. Beneath it, what the last edit changes in the run's time, or an epoch's where it goes on until stopped."
    )

    def __init__(self) -> None:
        super().__init__(id="forecast", markup=False)
        self._foreseen = PredictionState()
        self._change: Change | None = None
        self.folded = False
        """Two lines instead of a column."""

    def show(self, foreseen: PredictionState, change: Change | None) -> None:
        self._foreseen, self._change = foreseen, change
        self.redraw()

    def redraw(self) -> None:
        self.styles.height = FOLDED_ROWS if self.folded else ROWS
        self.refresh()

    def render(self) -> Content:
        width = self.content_size.width
        lines = self._two(width) if self.folded else self._column(min(max(LEAST_WIDTH, width), MOST_WIDTH))
        return Content("\n").join(line.truncate(width, ellipsis=True) for line in lines)

    def _column(self, width: int) -> list[Content]:
        seen = self._foreseen
        lines = [title("time and memory", width, "projected")]
        if seen.prediction is None:
            return [*lines, *self._instead(width)]
        found = seen.prediction
        times = _times(found)
        wide = max(COLUMN, *(len(_duration(band.likely)) for _, band, _ in times if band is not None))
        lines += [_row(*row, wide) for row in times]
        op, part = found.dearest
        dearest = Content.assemble(
            (f"{'costliest':<12}", "$secondary"),
            f"{units.percent(part, 0):>{wide}}",
            "  ",
            (_named(op), _tone(op)),
        )
        lines += [_memory(found.memory, wide), dearest, _changed(self._change, width)]
        if seen.measuring is not None:
            lines.append(_measuring(seen.measuring, width))
        else:
            lines.append(Content.styled(seen.trouble or _machine(found, width), "$warning" if seen.trouble else "$secondary"))
        return lines

    def _instead(self, width: int) -> list[Content]:
        seen = self._foreseen
        words = Content.styled(seen.trouble, "$secondary" if seen.measuring or seen.trouble == SOON else "$warning")
        memory = [] if seen.memory is None else [_memory(seen.memory, COLUMN)]
        if seen.measuring is not None:
            return [_measuring(seen.measuring, width), words, *memory]
        return [*words.wrap(width)[: ROWS - 1 - len(memory)], *memory]

    def _two(self, width: int) -> list[Content]:
        seen = self._foreseen
        if seen.prediction is None:
            return self._instead(width)[:FOLDED_ROWS]
        found = seen.prediction
        op, part = found.dearest
        dearest = Content.assemble((f"{units.percent(part, 0)} of a step: ", "$secondary"), (_named(op), _tone(op)))
        if seen.measuring is not None:
            return [_short(found, width), _measuring(seen.measuring, width)]
        if seen.trouble:
            return [_short(found, width), Content.styled(seen.trouble, "$warning")]
        change = _changed(self._change, width)
        room = width - change.cell_length - dearest.cell_length
        second = (
            change if change.cell_length and room < 3 else Content("   " if change.cell_length else "").join([change, dearest])
        )
        return [_short(found, width), second]


def _memory(memory: RunMemory, wide: int) -> Content:
    return Content.assemble(
        (f"{'memory':<12}", "$secondary"),
        f"{weight(memory.total):>{wide}}",
        ("  counted, with its data" if memory.data is not None else "  counted, without its data", "$secondary"),
    )


# ── times ──


def _times(found: Prediction) -> list[tuple[str, Interval | None, str]]:
    """(what, its time, why there is none)."""
    config = found.config
    whole, steps = found.wall_seconds, found.seconds
    if config.epochs is None:
        run: tuple[str, Interval | None, str] = ("whole run", None, "until stopped")
    elif whole is None and steps is not None:
        run = ("all steps", steps, "")
    else:
        run = ("whole run", whole, "known once the file is read")
    return [("step", found.step, ""), ("epoch", found.epoch, "known once the file is read"), run]


def _row(name: str, band: Interval | None, why: str, wide: int) -> Content:
    head = (f"{name:<12}", "$secondary")
    if band is None:
        return Content.assemble(head, (why, "$secondary"))
    return Content.assemble(head, (f"{_duration(band.likely):>{wide}}", "bold"), (f"  {_reach(band)}", "$secondary"))


def _short(found: Prediction, width: int) -> Content:
    """As many of the times as fit, the whole run's first."""
    rows = [(name, band) for name, band, _ in reversed(_times(found)) if band is not None]
    words = {"step": "a step", "epoch": "an epoch", "whole run": "in all", "all steps": "for all steps"}
    pieces = [f"{_duration(band.likely)} {words[name]}" for name, band in rows]
    mark = "  projected"
    while len(pieces) > 1 and len(", ".join(pieces)) + len(mark) > width:
        pieces.pop()
    reach = f" ({_reach(rows[0][1])})"
    first, *others = pieces
    if len(", ".join(pieces)) + len(reach) + len(mark) > width:
        reach = ""
    rest = "".join(f", {piece}" for piece in others)
    return Content.assemble((first, "bold"), (reach, "$secondary"), rest, (mark, "$secondary"))


def _reach(band: Interval) -> str:
    return f"{_duration(band.low)} to {_duration(band.high)}"


def _duration(seconds: float) -> str:
    return units.duration(seconds) if math.isfinite(seconds) else "for ever"


# ── words ──


def _named(op: Op) -> str:
    """`layer 2's weights' gradient`."""
    what = FORMULAS[op.kind].what
    return what if op.layer is None else f"layer {op.layer}'s {what}"


def _tone(op: Op) -> str:
    return f"$phase-{op.phase.value}" if op.phase in (Phase.FORWARD, Phase.LOSS, Phase.BACKWARD, Phase.UPDATE) else "$secondary"


def _changed(change: Change | None, width: int = MOST_WIDTH) -> Content:
    """`▲ +12 % time, +3.1 M multiplications per example`; `−99 % in all, +98 % a step`; nothing where nothing changed.

    What has no room is left out from the end.
    """
    if change is None:
        return Content("")
    parts = _changed_times(change)
    if change.multiplications is not None:
        parts.append(f"{_signed(change.multiplications)} multiplications per example")
    if change.memory is not None:
        parts.append(_signed_share(change.memory, "memory"))
    while len(parts) > 1 and 2 + len(", ".join(parts)) > width:
        parts.pop()
    more = next((one for one in (change.time, change.step, change.multiplications, change.memory) if one is not None), 0.0)
    sign = "▲" if more > 0 else "▼"
    return Content.assemble((f"{sign} ", "$warning" if more > 0 else "$success"), ", ".join(parts)) if parts else Content("")


def _changed_times(change: Change) -> list[str]:
    """One share where a step and the whole change alike, else both: a larger batch makes a step longer and a run shorter."""
    step, time = change.step or 0.0, change.time or 0.0
    if abs(step - time) < ALIKE * max(1.0, abs(time)):
        return [] if change.time is None else [_signed_share(change.time, "time")]
    both = ((change.time, change.of), (change.step, "a step"))
    return [_signed_share(share, of) for share, of in both if share is not None]


def _signed_share(share: float, of: str) -> str:
    """`+12 % time`, `−3.0 % time`, `time × 12`, `time ÷ 12`."""
    if share >= MANY:
        return f"{of} × {units.short_count(round(1 + share), 9)}"
    if 0 < 1 + share <= 1 / MANY:
        return f"{of} ÷ {units.short_count(round(1 / (1 + share)), 9)}"
    return f"{'+' if share > 0 else '−'}{100 * abs(share):.{0 if abs(share) >= 0.1 else 1}f} % {of}"


def _signed(value: float) -> str:
    figure = units.short_count(abs(value), 6) if abs(value) < 1e300 else "more than 1e300"
    return f"{'+' if value > 0 else '−'}{figure}"


def _machine(found: Prediction, width: int) -> str:
    """What the times hold for, in as many words as there is room for."""
    by = f"{found.backend}@{found.threads}"
    slowed = f", slowed {found.slowdown:.1f} × just now" if found.slowdown > QUIET else ""
    if found.beyond is not None:
        beyond = f"{units.figure(found.beyond)} × any measured"
        ways = [f"{by}{slowed}; largest product {beyond}", f"{by}; largest product {beyond}", f"largest product {beyond}"]
    else:
        ways = [f"on {found.machine}, {by}{slowed}", f"on {by}{slowed}", f"{by}{slowed}"]
    return next((words for words in ways if len(words) <= width), ways[-1])


def _measuring(measuring: Measuring, width: int) -> Content:
    words = f"measuring this machine … {measuring.words}"
    wide = min(BAR, width - len(words) - len(measuring.key) - 4)
    if wide < LEAST_BAR:
        return Content.assemble(words, (f"  {measuring.key}", "$secondary"))
    full = round(wide * measuring.done / measuring.of)
    return Content.assemble(
        words, "  ", ("━" * full, "$accent"), ("─" * (wide - full), "$border-blurred"), (f"  {measuring.key}", "$secondary")
    )
