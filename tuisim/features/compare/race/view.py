"""What the race screen shows: how fast each contender goes, what each cost once, and its loss over its own time.

It draws standings and, at the end, the comparison; it measures nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tuisim import units
from tuisim.config import RunConfig
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.features.compare.entries import FEW_STEPS
from tuisim.features.compare.race.race import Comparison, Row, Standing
from tuisim.measure.ceiling import share_text
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.chart import Series, plot, sample, x_axis
from tuisim.terminal.lines import BLANK, Frame, Line, Span, Tone, clip, ends, spread, width_of, wrap
from tuisim.terminal.plot import Floats, Scale, bar, loss_scale
from tuisim.terminal.table import Column, fits, table
from tuisim.terminal.text import network_words

TONES = (Tone.FORWARD, Tone.BACKWARD, Tone.UPDATE, Tone.VALIDATION, Tone.LOSS, Tone.TRAINING)
"""One for each contender, in the order they were entered; a seventh begins again."""
LEAST_BAR, MOST_BAR = 12, 60


@dataclass(frozen=True, slots=True)
class Heat:
    """A race as far as it has come."""

    standings: tuple[Standing, ...] = ()
    comparison: Comparison | None = None
    failure: str | None = None
    waits: bool = False
    """Because a training runs that it would disturb."""

    @property
    def rows(self) -> dict[str, Row]:
        return {row.name: row for row in self.comparison.rows} if self.comparison else {}


def tone_of(index: int) -> Tone:
    return TONES[index % len(TONES)]


class _RaceView:
    """A panel about a heat; the screen hands it each new one."""

    kinds: Provenances = (("", Provenance.MEASURED),)

    def __init__(self) -> None:
        self.heat = Heat()

    def _waiting(self, frame: Frame) -> list[Line]:
        if self.heat.failure is not None:
            return wrap(self.heat.failure, frame.width, Tone.BAD)
        words = "a training runs: m pauses it and begins" if self.heat.waits else "setting the contenders up"
        return wrap(words, frame.width, Tone.DIM)


class SpeedView(_RaceView):
    """One row for each contender with its bar; at the end also what was paid once and whether all computed the same."""

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        standings = self.heat.standings
        if not standings:
            return self._waiting(frame)
        drawn = self._bars(frame)
        rest = [*self._foot(frame.width), *self._out(frame.width)]
        once = self._once(frame)
        if once and len(drawn) + len(once) + 1 + len(rest) <= frame.height:
            return [*drawn, BLANK, *once, *rest]
        return [*drawn, *rest]

    def _bars(self, frame: Frame) -> list[Line]:
        standings, rows = self.heat.standings, self.heat.rows
        rates = [1e6 / one.microseconds_per_step if one.microseconds_per_step else 0.0 for one in standings]
        top, first = max(rates, default=0.0), rates[0] if rates else 0.0
        columns = [Column("backend", right=False), Column("steps/s", least=8), Column("µs a step", least=9), Column("×", least=8)]
        cells: list[list[Span]] = []
        for i, (one, rate) in enumerate(zip(standings, rates, strict=True)):
            row = rows.get(one.name)
            ratio = row.speedup if row else rate / first if first and rate else None
            cells.append(
                [
                    (one.name, tone_of(i)),
                    (units.si(rate) if rate else "", Tone.STRONG),
                    (f"{one.microseconds_per_step:,.1f}" if one.microseconds_per_step else "", Tone.TEXT),
                    (_ratio(ratio), Tone.TEXT),
                ]
            )
        while len(columns) > 2 and not fits(columns, cells, frame.width):
            columns, cells = columns[:-1], [row[:-1] for row in cells]
        lines = table(columns, cells, min(frame.width, 48))
        wide = max(map(width_of, lines)) + 2
        room = min(MOST_BAR, frame.width - wide)
        if room < LEAST_BAR:
            return lines
        drawn = [
            BLANK,
            *(((bar(rate / top if top else 0.0, room, frame.chart_style)[0], tone_of(i)),) for i, rate in enumerate(rates)),
        ]
        return [(*line, (" " * (wide - width_of(line)), Tone.TEXT), *one) for line, one in zip(lines, drawn, strict=True)]

    def _once(self, frame: Frame) -> list[Line]:
        """Set-up, first step, utilization and difference, once the race is over."""
        rows = list(self.heat.rows.values())
        if not rows:
            return []
        # What none of them has, as compiling where nothing is compiled, is left out.
        kept = [(heading, text) for heading, text in _ONCE if any(text(row) for row in rows)]
        columns = [Column("", right=False), *(Column(heading) for heading, _ in kept), Column("differs")]
        cells: list[list[Span]] = [
            [(row.name, Tone.TEXT), *((text(row), Tone.TEXT) for _, text in kept), _difference(row)] for row in rows
        ]
        while len(columns) > 2 and not fits(columns, cells, frame.width):
            columns, cells = [*columns[:-2], columns[-1]], [[*row[:-2], row[-1]] for row in cells]
        return table(columns, cells, frame.width)

    def _out(self, width: int) -> list[Line]:
        return [line for one in self.heat.standings if one.reason
                for line in wrap(f"{one.name}: {printable(one.reason, 200)}", width, Tone.WARNING)]  # fmt: skip

    def _foot(self, width: int) -> list[Line]:
        found = self.heat.comparison
        if found is None or not found.fastest:
            return []
        first, *level = (row.name for row in found.fastest)
        same = all(row.same for row in found.rows)
        words = f"{first} is the fastest here" + (f", level with {', '.join(level)}" if level else "")
        proof = f"all computed the same, to rounding, over {FEW_STEPS} steps" if same else "not all computed the same"
        return [BLANK, *spread([((words, Tone.STRONG),), ((proof, Tone.GOOD if same else Tone.BAD),)], width),
                *(line for note in found.notes for line in wrap(note, width, Tone.DIM))]  # fmt: skip


_ONCE: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("set up", lambda row: units.duration(row.bind_seconds)),
    ("first step", lambda row: units.duration(row.first_call_seconds)),
    ("compiling", lambda row: units.duration(row.compile_seconds)),
    ("copying", lambda row: units.duration(row.transfer_seconds)),
    ("launch", lambda row: "" if row.launch_microseconds is None else f"{row.launch_microseconds:,.1f} µs"),
    ("of peak", lambda row: share_text(row.utilization, row.above_peak is not None)),
    ("examples/s", lambda row: units.si(row.examples_per_second)),
)
"""What is paid once and what it comes to, each with its heading; the last ones go first where there is no room."""


def _difference(row: Row) -> Span:
    words = "" if row.max_parameter_difference is None else f"{row.max_parameter_difference:.1e}"
    return words, Tone.TEXT if row.same else Tone.BAD


class LossRaceView(_RaceView):
    """Each contender's loss over the seconds it has worked: the same steps, sooner or later."""

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        running = [(i, one) for i, one in enumerate(self.heat.standings) if one.losses]
        if not running:
            return self._waiting(frame) if not self.heat.standings else wrap("waiting for the first turn", frame.width, Tone.DIM)
        series = [Series(_times(one), np.array(one.losses), tone_of(i)) for i, one in running]
        legend: list[Line] = [
            ((f"{sample(i, False, frame.chart_style)} ", tone_of(i)), (one.name, Tone.TEXT)) for i, one in running
        ]
        heads = spread(legend, frame.width, gap=2)
        height = frame.height - len(heads) - 1
        if height < 3:
            return heads[: frame.height]
        x_scale = Scale(0.0, max(one.seconds for _, one in running) or 1.0)
        y_scale = loss_scale(*(one.y for one in series)) or Scale(0.0, 1.0)
        drawn = plot(series, frame.width, height, frame.chart_style, x_scale, y_scale)
        return [*heads, *drawn, x_axis(frame.width, x_scale, "s of its own", frame.chart_style)]


def _times(one: Standing) -> Floats:
    """Seconds at the middle of each kept stretch of steps: a contender's steps take alike long."""
    middles = np.arange(len(one.losses), dtype=np.float64) + 0.5
    return np.multiply(middles, one.seconds / len(one.losses), dtype=np.float64)


def _ratio(value: float | None) -> str:
    """Two decimals, or as many figures where there would be nothing left to read."""
    return "" if value is None else f"{value:,.2f}" if value >= 0.1 else f"{value:.2g}"


class RaceHeader:
    """Which network is raced, and how the race stands."""

    kinds: Provenances = (("", Provenance.GIVEN),)

    def __init__(self, config: RunConfig) -> None:
        self.config, self.heat = config.resolved(), Heat()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        heat, width = self.heat, frame.width - 1
        state: Span = ("◌ racing", Tone.ACCENT)
        if heat.failure is not None:
            state = ("✕ failed", Tone.BAD)
        elif heat.comparison is not None:
            state = ("■ finished", Tone.GOOD)
        elif heat.waits:
            state = ("‖ waits", Tone.WARNING)
        names = network_words(self.config)
        room = max(1, width - width_of((state,)) - 17)
        network = next((words for words in names[:2] if len(words) <= min(room, 48)), clip(names[2], room))
        left: Line = ((" tuisim  ", Tone.ACCENT), ("race  ", Tone.TEXT), (network, Tone.STRONG))
        more = (
            f" · {self.config.loss} · {self.config.optimizer} · batch {units.count(self.config.batch_size)} · {self.config.dtype}"
        )
        if width_of(left) + len(more) + width_of((state,)) < width:
            left = (*left, (more, Tone.TEXT))
        return [ends(left, (state,), width)]
