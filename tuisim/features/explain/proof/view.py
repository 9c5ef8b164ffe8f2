"""What the proof screen shows at one moment, its header and status lines, and the pieces its panels share.

It knows neither the panels nor the keys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tuisim import units
from tuisim.backends import precision
from tuisim.config import RunConfig
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.features.explain.proof.proof import CHECKS, Check, Progress, Proof
from tuisim.provenance import Provenance, Provenances, Tagged
from tuisim.terminal.lines import BLANK, Frame, Line, Span, Tone, clip, ends, width_of, wrap
from tuisim.terminal.plot import bar
from tuisim.terminal.table import Column, table
from tuisim.terminal.text import network_words

PASSED: Span = ("✓ passed", Tone.GOOD)
FAILED: Span = ("✗ failed", Tone.BAD)
LEAST_DECADE, MOST_DECADE = -17, 1
"""Of the scale that an error and its tolerance are marked on."""
MOST_SCALE = 60
"""Cells of it."""
MOST_PROSE = 76
"""Cells of a line that is read with ease."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A proof as far as it has come."""

    progress: Progress | None = None
    proof: Proof | None = None
    failure: str | None = None
    """Why there will be none."""
    refused: bool = False
    """Because it would take too long."""
    seconds: float = 0.0

    def check(self, name: str) -> Check | None:
        """The check called `name`, once it has ended."""
        found = self.proof.checks if self.proof else self.progress.finished if self.progress else ()
        return next((check for check in found if check.name == name), None)

    def share(self, name: str) -> tuple[int, int] | None:
        """(done, of) of the check at hand; none of any other."""
        running = self.progress is not None and self.proof is None and self.failure is None
        return (self.progress.done, self.progress.of) if running and self.progress and self.progress.check == name else None


class ProofLine:
    """One line about a moment; the screen hands it each new one."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config.resolved()
        self.moment = Moment()


class ProofHeader(ProofLine):
    """Which network, and how its proof stands."""

    kinds: Provenances = (("", Provenance.GIVEN), ("clock", Provenance.MEASURED))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        state = _state(self.moment)
        config, width = self.config, frame.width - 1
        room = width - width_of(state) - 17
        full, merged, shortest = network_words(config)
        network = next((words for words in (full, merged) if len(words) <= min(room, 48)), clip(shortest, max(1, room)))
        left: Line = ((" tuisim  ", Tone.ACCENT), ("proof  ", Tone.TEXT), (network, Tone.STRONG))
        dtype = precision(config.backend, config.dtype)
        for rest in (
            f" · {config.loss} · {config.optimizer} · batch {units.count(config.batch_size)} · {config.backend} {dtype}",
            f" · {config.loss} · batch {units.count(config.batch_size)} · {config.backend}",
            f" · {config.loss} · {config.backend}",
        ):
            if width_of(left) + len(rest) < width - width_of(state):
                left = (*left, (rest, Tone.TEXT))
                break
        return [ends(left, state, width)]


class ProofStatus(ProofLine):
    """What is being done, or how it came out."""

    kinds: Provenances = (("", Provenance.COUNTED),)

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        moment, width = self.moment, frame.width - 2
        if moment.failure is not None:
            again = "too long for plain Python: f goes on all the same" if moment.refused else printable(moment.failure, 500)
            return [((" " + clip(again, width), Tone.BAD),)]
        if moment.proof is not None:
            return [_ended(moment.proof, width)]
        if moment.progress is None:
            return [((" loading the data, pricing plain Python", Tone.DIM),)]
        part = f" {CHECKS.index(moment.progress.check) + 1} of {len(CHECKS)}: {_DOING[moment.progress.check]}"
        takes = f"plain Python takes about {units.duration(moment.progress.scalar_seconds)} of it, projected"
        return [ends(((clip(part, width), Tone.TEXT),), ((Tagged(takes, Provenance.PROJECTED), Tone.DIM),), width)]


_DOING = {
    "count": "one step in plain Python, tallied",
    "gradient": "each parameter a little up, a little down",
    "backend": "the same steps on both backends",
}


def _ended(proof: Proof, width: int) -> Line:
    failed = ", ".join(check.name for check in proof.checks if not check.passed)
    words = f" not proved: {failed}" if failed else " count, gradient and backend proved"
    took: Line = ((Tagged(f"{units.duration(proof.seconds)} measured", Provenance.MEASURED), Tone.DIM),)
    return ends(((clip(words, width), Tone.BAD if failed else Tone.GOOD),), took, width)


def _state(moment: Moment) -> Line:
    if moment.failure is not None:
        state: Span = ("✕ refused" if moment.refused else "✕ failed", Tone.BAD)
    elif moment.proof is not None:
        state = ("✓ proved", Tone.GOOD) if moment.proof.passed else ("✗ not proved", Tone.BAD)
    else:
        state = ("◌ proving", Tone.ACCENT)
    return (state[0].ljust(12), state[1]), (Tagged(units.clock(moment.seconds).rjust(6), Provenance.MEASURED), Tone.TEXT)


Figure = tuple[str, str, str]
"""A name, its figure, and a remark on it."""


# ── Pieces of a panel ────────────────────────────────────────────────────────────────────────────────────────────────


def waiting(moment: Moment, name: str, what: str, frame: Frame, words: str = "") -> list[Line]:
    """A check that has not ended: how far it is, or that it waits, and in `words` what it will do."""
    share = moment.share(name)
    if moment.failure is not None:
        return wrap(printable(moment.failure, 500), frame.width, Tone.BAD) if name == "gradient" else []
    prose = [BLANK, *wrap(words, min(frame.width, MOST_PROSE), Tone.DIM)] if words else []
    if share is None:
        return [((clip("waits for its turn", frame.width), Tone.DIM),), *prose]
    done, of = share
    figures = f"{units.count(done).rjust(len(units.count(of)))} of {units.count(of)} {what}"
    drawn = bar(done / of if of else 0.0, max(1, min(frame.width, MOST_SCALE)), frame.chart_style)
    return [((clip(figures, frame.width), Tone.TEXT),), ((drawn[0], Tone.AREA), (drawn[1], Tone.FAINT)), *prose]


def pairs(rows: Sequence[Figure], frame: Frame) -> list[Line]:
    """One line each; the remark is left out where there is no room for it."""
    names = [Column("", right=False, min_width=11), Column("", right=False)]
    cells: list[list[Span]] = [[(name, Tone.DIM), (figure, Tone.TEXT)] for name, figure, _ in rows]
    remarks = [row[2] for row in rows]
    room = frame.width - max(11, *(len(row[0]) for row in rows)) - 2
    if any(len(row[1]) > room for row in rows):
        cells = [[name, (clip(text, room), tone)] for name, (text, tone) in cells]
    lines = table(names, cells, min(frame.width, 40))[1:]
    wide = max(map(width_of, lines)) + 2
    return [
        (*line, (" " * (wide - width_of(line)), Tone.TEXT), (remark, Tone.DIM)) if wide + len(remark) <= frame.width else line
        for line, remark in zip(lines, remarks, strict=True)
    ]


def scale(worst: float | None, tolerance: float | None, frame: Frame) -> list[Line]:
    """Decades from 1e-17 to 10: how far the worst error is below what is allowed."""
    width = min(frame.width, MOST_SCALE)
    if worst is None or tolerance is None or width < 20:
        return []
    at, limit = _place(worst, width), _place(tolerance, width)
    tone = Tone.GOOD if worst <= tolerance else Tone.BAD
    row: list[Span] = [("─", Tone.DIM if i < limit else Tone.FAINT) for i in range(width)]
    row[limit] = ("┃", Tone.STRONG)
    row[at] = ("●", tone)
    foot = f"1e{LEAST_DECADE}".ljust(width - 2) + f"{10**MOST_DECADE}"
    words = "┃ allowed" if limit + 12 < width else "allowed ┃"
    left = max(6, min(limit if words[0] == "┃" else limit - len(words) + 1, width - len(words) - 3))
    return [tuple(row), ((foot[:left] + words + foot[left + len(words) :], Tone.DIM),)]


def _place(value: float, width: int) -> int:
    decade = math.log10(value) if value > 0 else LEAST_DECADE
    share = (decade - LEAST_DECADE) / (MOST_DECADE - LEAST_DECADE)
    return max(0, min(width - 1, round(share * (width - 1))))
