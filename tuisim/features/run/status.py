"""The header above the panels (network, backend, state, clock) and the status line below them (progress, speed, message)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tuisim import units
from tuisim.config import RunConfig
from tuisim.engine.events import Snapshot, State
from tuisim.errors import printable
from tuisim.features.run.speed_limits import speed_limit_text
from tuisim.provenance import Provenance, Provenances, Tagged
from tuisim.terminal.lines import Frame, Line, Tone, clip, ends, spread, width_of
from tuisim.terminal.text import network_words

MAX_NETWORK = 48
"""Cells of layer sizes at most; longer ones are shortened."""
STATES: dict[State, tuple[str, Tone]] = {
    State.STARTING: ("◌", Tone.DIM),
    State.TRAINING: ("●", Tone.GOOD),
    State.PAUSED: ("‖", Tone.WARNING),
    State.COMPLETED: ("■", Tone.GOOD),
    State.STOPPED: ("■", Tone.WARNING),
    State.INTERRUPTED: ("■", Tone.WARNING),
    State.DIVERGED: ("✕", Tone.BAD),
    State.FAILED: ("✕", Tone.BAD),
}


class HeaderView:
    """The network, the backend, the state and the clock; two lines on a narrow page."""

    kinds: Provenances = (("", Provenance.GIVEN), ("clock", Provenance.MEASURED))

    def __init__(self, config: RunConfig) -> None:
        self._config = config.resolved()
        self._made: tuple[object, list[Line]] = (None, [])
        self.failed = ""
        """Why the run failed before its first snapshot; empty otherwise."""

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        config = snapshot.config if snapshot else self._config
        rate = snapshot.current_learning_rate if snapshot else config.learning_rate
        key = (id(config), rate, snapshot.device if snapshot else None, frame)
        if self._made[0] != key:
            self._made = (key, _described(config, rate, snapshot, frame))
        first, *second = self._made[1]
        return [ends(first, _state(snapshot, State.FAILED if self.failed else State.STARTING), frame.width - 1), *second]


def _described(config: RunConfig, rate: float | None, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
    """Return the header without the state, and the second line if there is one."""
    name: Line = ((" tuisim  ", Tone.ACCENT),)
    device: Line = ((f"{config.backend} · {snapshot.device}" if snapshot else config.backend, Tone.DIM),)
    moves = f" {config.schedule}" if config.schedule != "constant" else ""
    steps = f" · {config.optimizer} {rate:.3g}{moves} · batch {units.count(config.batch_size)}"
    loss, data = f" · {config.loss}", f" · {printable(config.dataset, 30)}"
    room = frame.width - 2 - width_of(_state(snapshot)) - width_of(name)
    if frame.height >= 2:
        network, _ = _fitting(config, ("",), room)
        room = frame.width - 3 - width_of(device)
        words = next((words for words in (loss + steps + data, loss + steps, steps) if len(words) - 3 <= room), steps)
        below: Line = ((" " + words[3:], Tone.TEXT),)
        return [(*name, (network, Tone.STRONG)), ends(below, device, frame.width - 1)]
    extras = (loss + steps + data, loss + steps, steps, "")
    network, extra = _fitting(config, extras, room - width_of(device) - 4)
    left: Line = (*name, (network, Tone.STRONG), (extra, Tone.TEXT))
    return [ends(left, (*device, ("  ", Tone.TEXT)), frame.width - 2 - width_of(_state(snapshot)))]


class StatusView:
    """The progress, the speed limit, and the message that says why the run waits or how it ended."""

    kinds: Provenances = (("", Provenance.COUNTED),)

    def __init__(self) -> None:
        self.failed = ""
        """Why the run failed before its first snapshot; empty otherwise."""
        self.waits_for = ""
        """What the run waits for before it starts."""
        self.outcome = ""
        """How the ended run compares with its prediction."""

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        return _inset(self._lines(snapshot, replace(frame, width=frame.width - 2)))

    def _lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        if snapshot is None or snapshot.state is State.STARTING:
            words = self.failed or (snapshot.message if snapshot else "") or self.waits_for or STARTING_WORDS
            return [((clip(printable(words, 500), frame.width), Tone.BAD if self.failed else Tone.DIM),)]
        message = printable(snapshot.message, 500)
        tone = STATES[snapshot.state][1]
        wide = 2 * (frame.width >= 100)
        examples = units.short_count(snapshot.examples_seen, 11 + wide).rjust(11 + wide)
        limit_tone = Tone.WARNING if snapshot.speed_limit is not None else Tone.TEXT
        pieces: list[Line] = [
            (("epoch ", Tone.DIM), (_of(snapshot.epoch, snapshot.config.epochs).rjust(6 + wide), Tone.TEXT)),
            (("step ", Tone.DIM), (units.short_count(snapshot.step, 9 + wide).rjust(9 + wide), Tone.TEXT)),
            (("examples ", Tone.DIM), (examples, Tone.TEXT), (" counted", Tone.DIM)),
            ((Tagged(speed_limit_text(snapshot.speed_limit), Provenance.GIVEN), limit_tone), (" given", Tone.DIM)),
        ]
        if self.outcome and snapshot.state.ended:
            pieces.insert(
                0, ((clip(Tagged(self.outcome, Provenance.PROJECTED), frame.width), Tone.STRONG), (" projected", Tone.DIM))
            )
        if message:
            # The message comes first, so that it is not what is cut off.
            pieces.insert(0, ((clip(message, frame.width), tone),))
        for kept in (pieces, [*pieces[:-2], pieces[-1]], pieces):
            lines = spread(kept, frame.width, gap=2 + wide // 2)
            if len(lines) == 1:
                break
        return lines[:1]


STARTING_WORDS = "starting: loading the data, binding or compiling the step, measuring this machine's peaks"


def _inset(lines: list[Line]) -> list[Line]:
    """Indent by one cell; the caller has left one at the right."""
    return [((" ", Tone.TEXT), *line) for line in lines]


def _state(snapshot: Snapshot | None, without: State = State.STARTING) -> Line:
    """Return symbol, word and clock; `without` is the state if there is no snapshot."""
    state = snapshot.state if snapshot else without
    symbol, tone = STATES[state]
    # As wide as the longest state, so that the clock stays where it is.
    return (
        (f"{symbol} {state.value}".ljust(10), tone),
        (Tagged((units.clock(snapshot.training_seconds) if snapshot else "").rjust(8), Provenance.MEASURED), Tone.TEXT),
    )


def _fitting(config: RunConfig, extras: Sequence[str], width: int) -> tuple[str, str]:
    """Return the network and as much of what follows it as fits; the sizes of the network come first."""
    full, merged, shortest = network_words(config)
    for extra in extras:
        for words in (full, merged):
            if len(words) + len(extra) <= width and len(words) <= MAX_NETWORK:
                return words, extra
    extra = next((extra for extra in extras if len(shortest) + len(extra) <= width), "")
    return clip(shortest, max(width, 1)), extra


def _of(epoch: int, epochs: int | None) -> str:
    done = units.short_count(epoch, 11)
    return done if epochs is None else f"{done} of {units.short_count(epochs, 9)}"
