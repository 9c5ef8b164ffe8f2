"""What the profile screen shows beside its pictures: which step is taken apart, and its operations with words about one of them.

It draws what was measured; it measures nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_letters

from tuisim import units
from tuisim.backends import precision
from tuisim.config import RunConfig
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.features.profile.roofline import Dot, Roofline
from tuisim.features.profile.step_profile import Profile
from tuisim.features.profile.waterfall import Waterfall
from tuisim.measure.ceiling import ABOVE
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import BLANK, PHASE_TONES, Frame, Line, Span, Tone, clip, ends, width_of, wrap
from tuisim.terminal.plot import bar
from tuisim.terminal.table import Column, fits, table
from tuisim.terminal.text import network_words
from tuisim.tui.panel import Rowed

MOST_WORDS = 0.5
"""Of a panel's height, for the words about the operation that is looked at."""
SHARE = 6
"""Cells of a share."""
NO_DOT = "–"
MANY = "•"
"""The letter of a dot for which there is none left."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A step as far as it has been taken apart, and the operation that is looked at."""

    profile: Profile | None = None
    roofline: Roofline | None = None
    waterfall: Waterfall | None = None
    of_run: bool = False
    """Whether the waterfall is the run's, and not the step's by itself."""
    done: float = 0.0
    """Share of the measuring."""
    failure: str | None = None
    waits: bool = False
    """Because a training runs that it would disturb."""
    chosen: int | None = None
    """None: the operation that takes most of the step."""

    @property
    def dots(self) -> tuple[Dot, ...]:
        return self.roofline.dots if self.roofline else ()

    @property
    def cursor(self) -> int:
        """Which operation is looked at."""
        dots = self.dots
        if self.chosen is not None:
            return max(0, min(len(dots) - 1, self.chosen))
        return max(range(len(dots)), key=lambda i: dots[i].share, default=0)

    @property
    def letters(self) -> tuple[str, ...]:
        """What each operation is called in the picture, in the step's order."""
        names = iter(ascii_letters)
        return tuple(NO_DOT if dot.place is None else next(names, MANY) for dot in self.dots)

    def stepped(self, by: int) -> int:
        """The operation so many later in the step."""
        return max(0, min(len(self.dots) - 1, self.cursor + by))

    def across(self, by: int) -> int:
        """The dot next to the cursor's, to the left or to the right in the picture."""
        placed = sorted((dot.place, i) for i, dot in enumerate(self.dots) if dot.place is not None)
        order = [i for _, i in placed]
        if self.cursor not in order:
            return order[0] if order else self.cursor
        return order[max(0, min(len(order) - 1, order.index(self.cursor) + by))]


class AnatomyView:
    """A panel about a step; the screen hands it each new state."""

    kinds: Provenances = (("", Provenance.MEASURED),)

    def __init__(self) -> None:
        super().__init__()
        self.anatomy = Anatomy()

    def _waiting(self, frame: Frame) -> list[Line]:
        anatomy = self.anatomy
        if anatomy.failure is not None:
            return wrap(anatomy.failure, frame.width, Tone.BAD)
        if anatomy.waits:
            words = "a training runs: m pauses it and begins, then shows where its time went; it goes on once this page is left"
            return wrap(words, frame.width, Tone.TEXT)
        drawn, empty = bar(anatomy.done, min(frame.width, 40), frame.chart_style)
        words = "taking a step apart" if anatomy.done else "measuring this machine's roofs"
        return [*wrap(words, frame.width, Tone.DIM), ((drawn, Tone.ACCENT), (empty, Tone.FAINT))]


class OperationsView(AnatomyView, Rowed):
    """The step's operations, each with its letter in the picture, and about one of them what would help."""

    kinds: Provenances = (("", Provenance.MEASURED), ("layers", Provenance.COUNTED))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        anatomy, self.places = self.anatomy, ()
        if not anatomy.dots:
            return [] if anatomy.failure is not None or (anatomy.waits and not frame.zoomed) else self._waiting(frame)
        words = self._words(frame)
        room = max(1, frame.height - len(words) - 1 - (frame.height > 12))
        columns, rows = self._rows(frame.width)
        first = max(0, min(anatomy.cursor - room // 2, len(rows) - room))
        shown = table(columns, rows, frame.width)
        window = range(first, min(first + room, len(rows)))
        self.places = [None, *window]
        kept = [shown[0], *(shown[1 + i] for i in window)]
        below = len(rows) - window.stop
        more: Line = ((f"  … {below} more", Tone.DIM),) if below else BLANK
        return [*kept, *([more] if frame.height > 12 else []), *words]

    def _words(self, frame: Frame) -> list[Line]:
        dot = self.anatomy.dots[self.anatomy.cursor]
        above = wrap(f"{ABOVE} {dot.above}", frame.width, Tone.WARNING) if dot.above else []
        lines = [*wrap(dot.help, frame.width, Tone.STRONG), *above, *wrap(self._figures(dot), frame.width, Tone.DIM)]
        most = max(1, int(MOST_WORDS * frame.height))
        if len(lines) <= most or frame.zoomed:
            return lines
        lines = wrap(dot.help, frame.width, Tone.STRONG)
        return lines if len(lines) <= most else [*lines[: most - 1], (("… 2 shows all of it", Tone.DIM),)]

    def _figures(self, dot: Dot) -> str:
        """The rates of one operation, and its share of its roof."""
        time, found = dot.time, []
        if dot.place is not None:
            found.append(f"{units.si(time.flops_per_second)}FLOP/s at {units.figure(time.intensity)} FLOPs a byte")
        elif time.seconds > 0:
            found.append("no dot, since it has no FLOPs to speak of")
        if time.bytes_per_second is not None and time.bytes:
            found.append(f"{units.si(time.bytes_per_second)}B/s")
        if dot.of_roof is not None:
            found.append(f"{units.percent(dot.of_roof)} of the {dot.roof} roof")
        return ", ".join(found)

    def _rows(self, width: int) -> tuple[list[Column], list[list[Span]]]:
        """As many columns as there is room for; the last ones go first."""
        anatomy = self.anatomy
        columns = [
            Column("", right=False), Column("layer"), Column("phase", right=False), Column("operation", right=False),
            Column("time", min_width=7), Column("share", min_width=SHARE), Column("of roof", min_width=7),
            Column("roof", right=False),
            Column("limited by", right=False),
        ]  # fmt: skip
        rows = [self._row(i, letter, dot) for i, (letter, dot) in enumerate(zip(anatomy.letters, anatomy.dots, strict=True))]
        for title in ("limited by", "roof", "of roof", "time", "phase", "layer"):
            if fits(columns, rows, width):
                break
            at = next(i for i, column in enumerate(columns) if column.title == title)
            columns, rows = columns[:at] + columns[at + 1 :], [row[:at] + row[at + 1 :] for row in rows]
            if title == "layer":  # which it is must still be told
                room = max(1, width - 3 - SHARE - 2)
                rows = [[row[0], (layered(dot, room), row[1][1]), *row[2:]] for row, dot in zip(rows, anatomy.dots, strict=True)]
        return columns, rows

    def _row(self, i: int, letter: str, dot: Dot) -> list[Span]:
        here, row = i == self.anatomy.cursor, dot.time.row
        tone = Tone.STRONG if here else Tone.TEXT
        marked = letter + (ABOVE if dot.above else "")
        return [
            (("› " if here else "  ") + marked, Tone.ACCENT if here else PHASE_TONES[row.phase.value]),
            ("" if row.layer is None else str(row.layer), tone),
            (row.phase.value, PHASE_TONES[row.phase.value]),
            (row.what, tone),
            (units.duration(dot.time.seconds), tone),
            (units.percent(dot.share), tone),
            ("" if dot.of_roof is None else units.percent(dot.of_roof, 0), tone),
            (dot.roof, Tone.DIM),
            (dot.limit.value, Tone.DIM),
        ]


def layered(dot: Dot, room: int) -> str:
    """An operation with its layer, where it has one, in so many cells."""
    row = dot.time.row
    layer = "" if row.layer is None else f" {row.layer}"
    return clip(row.what, room - len(layer)) + layer


class ProfileHeader:
    """Whose step is taken apart, how long it takes, and how far it is."""

    kinds: Provenances = (("", Provenance.GIVEN), ("times", Provenance.MEASURED))

    def __init__(self, config: RunConfig) -> None:
        self.config, self.anatomy = config.resolved(), Anatomy()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        anatomy, width = self.anatomy, frame.width - 1
        state: Span = ("◌ measuring", Tone.ACCENT)
        if anatomy.failure is not None:
            state = ("✕ failed", Tone.BAD)
        elif anatomy.profile is not None:
            state = ("■ finished", Tone.GOOD)
        elif anatomy.waits:
            state = ("‖ waits", Tone.WARNING)
        names = network_words(self.config)
        room = max(1, width - width_of((state,)) - 20)
        network = next((words for words in names[:2] if len(words) <= min(room, 48)), clip(names[2], room))
        line: Line = ((" tuisim  ", Tone.ACCENT), ("profile  ", Tone.TEXT), (network, Tone.STRONG))
        for words in self._more():
            if width_of(line) + len(words) + width_of((state,)) < width:
                line = (*line, (words, Tone.TEXT))
        return [ends(line, (state,), width)]

    def _more(self) -> list[str]:
        config, found = self.config, self.anatomy.profile
        batch = f" · batch {units.count(found.batch if found else config.batch_size)}"
        device = printable(found.device if found else config.backend, 60)
        return [
            batch,
            f" · {device}",
            f" · {config.optimizer}",
            f" · {config.loss}",
            f" · {precision(config.backend, config.dtype)}",
        ]
