"""What the hours-or-days screen shows: each row's time on one axis, and above it what was chosen.

It draws a projection or the ladder; it reckons neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuisim import units
from tuisim.config import RunConfig
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.predict.interval import Interval
from tuisim.predict.known_networks import Known
from tuisim.predict.project import ASSUMED_EPOCHS, Climb, Projected, Projection, Rung
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import Frame, Line, Span, Tone, clip, ends, width_of, wrap
from tuisim.terminal.text import network_words
from tuisim.terminal.timeline import axis, ruler, track
from tuisim.tui.panel import Rowed

LEAST_TRACK = 16
MOST_GAP = 5
"""Lines from one row of the picture to the next where there is room."""
GAP = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """What is looked at: a network on its backends, or the ladder."""

    projection: Projection | None = None
    climb: Climb | None = None
    """Where this is given it is the ladder."""
    chosen: int = 0
    """The row."""
    failure: str | None = None
    missing: str = ""
    """Why there are no rows."""

    @property
    def rows(self) -> int:
        return len(self.climb.rungs if self.climb else self.projection.rows if self.projection else ())


class SceneView:
    """A panel about a scene; the screen hands it each new one."""

    @property
    def kinds(self) -> Provenances:
        return (("", Provenance.GIVEN),)

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()

    def nothing(self, frame: Frame) -> list[Line]:
        if self.scene.failure is not None:
            return wrap(printable(self.scene.failure, 500), frame.width, Tone.BAD)
        return wrap(self.scene.missing, frame.width, Tone.DIM)


# ── the picture ──


@dataclass(frozen=True, slots=True)
class _Row:
    """A row before it has its cells."""

    name: str
    words: str
    asides: tuple[str, ...]
    """Shown where there is room."""
    stretch: Interval | None
    why: str
    """There is none."""


class PictureView(SceneView, Rowed):
    """One row for each backend, or each network of the ladder, on one axis of time."""

    @property
    def kinds(self) -> Provenances:
        times = (("", Provenance.PROJECTED),)
        return (*times, ("years and parameters", Provenance.PUBLISHED)) if self.scene.climb else times

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        rows, self.places = self._rows(), ()
        if not rows:
            return self.nothing(frame)
        headed = frame.height >= len(rows) + 3
        heading, *left = self._left(rows, frame.width, headed)
        wide = max(map(width_of, left)) + GAP
        room = frame.width - wide
        if room < LEAST_TRACK:
            self.places = window = self._window(len(left), frame.height)
            return [left[i] for i in window]
        above = [heading] if headed else []
        values = [end for row in rows if row.stretch for end in (row.stretch.low, row.stretch.high)]
        along = axis(values, room)
        height = frame.height - 2 - len(above)
        step = max(1, min(MOST_GAP, height // len(rows)))
        window = self._window(len(rows), height)
        self.places = [*[None] * len(above), *(i for i in window for _ in range(step))]
        drawn: list[Line] = above
        for i in window:
            row, tone, bound = rows[i], Tone.ACCENT if i == self.scene.chosen else Tone.AREA, self.scene.climb is not None
            picture: Line = (
                ((clip(row.why, room), Tone.DIM),) if row.why else track(along, row.stretch, frame.chart_style, tone, bound)
            )
            drawn.append((*left[i], (" " * (wide - width_of(left[i])), Tone.TEXT), *picture))
            drawn += [((" " * wide, Tone.TEXT), *track(along, None, frame.chart_style, Tone.FAINT))] * (step - 1)
        return [*drawn, *(((" " * wide, Tone.TEXT), *line) for line in ruler(along, frame.chart_style))]

    def _window(self, rows: int, height: int) -> range:
        """As many rows as fit, the chosen one among them."""
        shown = max(1, min(rows, height))
        first = min(max(0, self.scene.chosen - shown // 2), rows - shown)
        return range(first, first + shown)

    def _rows(self) -> list[_Row]:
        if self.scene.climb:
            return [_rung_row(rung, self.scene.climb) for rung in self.scene.climb.rungs]
        return [_backend_row(row) for row in self.scene.projection.rows] if self.scene.projection else []

    def _left(self, rows: list[_Row], width: int, headed: bool) -> list[Line]:
        """A heading, then names, words and, under a heading, as many asides as leave the picture half of the width."""
        titles = ("network", "at least", "parameters", "year") if self.scene.climb else ("backend", "likely", "from and to")
        names = min(max(len(titles[0]), *(len(row.name) for row in rows)), max(8, width // 3))
        words = max(len(titles[1]), *(len(row.words) for row in rows))
        columns = [max(len(title), *(len(row.asides[i]) for row in rows)) for i, title in enumerate(titles[2:]) if headed]
        while columns and 2 + names + GAP + words + sum(columns) + GAP * len(columns) > width // 2:
            columns.pop()
        over = (f"{title:>{size}}" for title, size in zip(titles[1:], (words, *columns), strict=False))
        lines: list[Line] = [((f"  {titles[0]:<{names}}{' ' * GAP}" + (" " * GAP).join(over), Tone.DIM),)]
        for i, row in enumerate(rows):
            chosen = i == self.scene.chosen
            spans: list[Span] = [
                ("▸ " if chosen else "  ", Tone.ACCENT),
                (f"{clip(row.name, names):<{names}}", Tone.STRONG if chosen else Tone.TEXT),
                (" " * GAP + f"{row.words:>{words}}", Tone.STRONG),
            ]
            spans += [
                (" " * GAP + f"{aside:>{size}}", Tone.DIM) for aside, size in zip(row.asides, columns, strict=False) if size
            ]
            lines.append(tuple(spans))
        return lines


def _backend_row(row: Projected) -> _Row:
    band = row.seconds
    known = band is not None and math.isfinite(band.high)
    why = "" if known else row.reason or "not known"
    return _Row(row.label, units.duration(band.likely) if band else "", (reach(band),), _stretch(band), printable(why, 200))


def _rung_row(rung: Rung, climb: Climb) -> _Row:
    known, seconds = rung.known, rung.seconds
    why = "" if seconds is not None else _unpublished(known, climb) if rung.seen is None else "not known"
    stretch = None if seconds is None else Interval(seconds, seconds, seconds)
    asides = (units.si(known.parameters), str(known.year))
    return _Row(known.name, units.duration(seconds), asides, stretch, why)


def _unpublished(known: Known, climb: Climb) -> str:
    """What is missing for how many examples it would see."""
    if climb.examples is None and climb.epochs is None:
        return "training length not published"
    return "epochs not published" if climb.epochs is None and known.epochs is None else "examples not published"


def _stretch(band: Interval | None) -> Interval | None:
    return band if band and math.isfinite(band.high) else None


def reach(band: Interval | None) -> str:
    """The ends of a band, in words."""
    return f"{units.duration(band.low)} to {units.duration(band.high)}" if band and math.isfinite(band.high) else ""


# ── the line above ──


class ProjectHeader(SceneView):
    """Which network or the ladder, at which volume and epochs."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.config = config.resolved()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        scene, width = self.scene, frame.width - 1
        right: Line = ((self._volume(width >= 72), Tone.STRONG),)
        name: Line = ((" tuisim  ", Tone.ACCENT), ("hours or days  ", Tone.TEXT))
        room = max(1, width - width_of(name) - width_of(right) - 2)
        if scene.climb:
            what = next((words for words in ("the ladder of known networks", "the ladder") if len(words) <= room), "")
        else:
            names = network_words(self.config)
            what = next((words for words in names[:2] if len(words) <= min(room, 48)), clip(names[2], room))
        left: Line = (*name, (what, Tone.STRONG))
        more = f" · {self.config.optimizer} · batch {units.count(self.config.batch_size)} · {self.config.dtype}"
        if not scene.climb and width_of(left) + len(more) + width_of(right) + 2 < width:
            left = (*left, (more, Tone.TEXT))
        return [ends(left, right, width)]

    def _volume(self, roomy: bool) -> str:
        scene = self.scene
        if scene.climb:
            examples, epochs = scene.climb.examples, scene.climb.epochs
            if examples is None and epochs is None:
                return "as each was trained"
        elif scene.projection:
            examples, epochs = scene.projection.examples, scene.projection.epochs
        else:
            return ""
        assumed = not scene.climb and self.config.epochs is None and epochs == ASSUMED_EPOCHS
        volume = "its own examples" if examples is None else units.short_count(examples, 9) + " examples" * roomy
        if epochs is None:
            return f"{volume} × its own epochs"
        return f"{volume} × {units.counted(epochs, 'epoch', 9)}{' assumed' * assumed}"
