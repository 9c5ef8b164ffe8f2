"""The header above the panels (network, backend, state, clock) and the status line below them (progress, speed, message)."""

from __future__ import annotations

from collections.abc import Sequence

from tuisim import units
from tuisim.config import RunConfig
from tuisim.engine.events import State
from tuisim.engine.speed_limits import speed_limit_text
from tuisim.errors import printable
from tuisim.features.run.starting import starting_line
from tuisim.features.run.state import RunState
from tuisim.provenance import Provenance, Tagged
from tuisim.terminal.lines import ChartStyle, Frame, Line, Tone, clip, ends, spread, width_of
from tuisim.terminal.text import MAX_NETWORK, network_words

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


def header_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return the network, the backend, the state and the clock; two lines on a narrow page."""
    config, snapshot = state.snapshot.config if state.snapshot else state.config, state.snapshot
    status = _status(state)
    name: Line = ((" ", Tone.TEXT),)
    device: Line = ((f"{config.backend} · {snapshot.device}" if snapshot else config.backend, Tone.DIM),)
    rate = snapshot.current_learning_rate if snapshot else config.learning_rate
    schedule = f" {config.schedule}" if config.schedule != "constant" else ""
    steps = f" · {config.optimizer} {rate:.3g}{schedule} · batch {units.count(config.full_batch)}"
    loss, data = f" · {config.loss}", f" · {printable(config.dataset, 30)}"
    room = frame.width - 2 - width_of(status) - width_of(name)
    if frame.height >= 2:
        network, _ = _fitting(config, ("",), room)
        room = frame.width - 3 - width_of(device)
        words = next((words for words in (loss + steps + data, loss + steps, steps) if len(words) - 3 <= room), steps)
        first: Line = (*name, (network, Tone.STRONG))
        return [ends(first, status, frame.width - 1), ends(((" " + words[3:], Tone.TEXT),), device, frame.width - 1)]
    network, extra = _fitting(config, (loss + steps + data, loss + steps, steps, ""), room - width_of(device) - 4)
    left: Line = (*name, (network, Tone.STRONG), (extra, Tone.TEXT))
    line = ends(left, (*device, ("  ", Tone.TEXT)), frame.width - 2 - width_of(status))
    return [ends(line, status, frame.width - 1)]


def status_lines(state: RunState, frame: Frame) -> list[Line]:
    """Return the progress, the speed limit, and the message that says why the run waits or how it ended."""
    return [((" ", Tone.TEXT), *line) for line in _status_lines(state, frame.width - 2, frame.chart_style)]


def _status_lines(state: RunState, width: int, chart_style: ChartStyle) -> list[Line]:
    snapshot, message = state.snapshot, state.message
    if snapshot is not None and snapshot.is_past and state.status is State.PAUSED and not message:
        message = f"step {snapshot.step:,} of {snapshot.head:,}: space goes on from here, a change begins a branch"
    if (snapshot is None or state.status is State.STARTING) and not state.failure:
        waiting: Line = ((clip(f"waiting for {state.waits_for} to end", width), Tone.DIM),)
        return [waiting if state.waits_for else starting_line(state.stages, width, chart_style)]
    if snapshot is None:
        return [((clip(message, width), Tone.BAD),)]
    wide = 2 * (width >= 98)
    epoch, epochs, limit = units.short_count(snapshot.epoch, 11), snapshot.config.known_epochs, snapshot.speed_limit
    if epochs is not None:
        epoch += f" of {units.short_count(epochs, 9)}"
    speed = speed_limit_text(limit)  # one in steps/s is a number that the user has given
    pieces: list[Line] = [
        ((Tagged(speed, Provenance.GIVEN) if limit else speed, Tone.TEXT if limit is None else Tone.WARNING),),
        (("epoch ", Tone.DIM), (epoch.rjust(6 + wide), Tone.TEXT)),
        (("step ", Tone.DIM), (units.short_count(snapshot.step, 9 + wide).rjust(9 + wide), Tone.TEXT)),
        (("examples ", Tone.DIM), (units.short_count(snapshot.examples_seen, 11 + wide).rjust(11 + wide), Tone.TEXT)),
        ((f"counted{', limit given' if limit else ''}", Tone.DIM),),
    ]
    if state.outcome:
        outcome = clip(Tagged(state.outcome, Provenance.PROJECTED), width)
        pieces.insert(0, ((outcome, Tone.STRONG), (" projected", Tone.DIM)))
    if message:
        # The message comes first, so that it is not what is cut off.
        pieces.insert(0, ((clip(message, width), STATES[state.status][1]),))
    for kept in (pieces, [*pieces[:-2], pieces[-1]], [*pieces[:-3], pieces[-1]], pieces):
        lines = spread(kept, width, gap=2 + wide // 2)
        if len(lines) == 1:
            break
    return lines[:1]


def _status(state: RunState) -> Line:
    """Return symbol, word and clock."""
    symbol, tone = STATES[state.status]
    clock = units.clock(state.snapshot.training_seconds) if state.snapshot else ""
    # As wide as the longest state, so that the clock stays where it is.
    return (
        (f"{symbol} {state.status.value}".ljust(10), tone),
        (Tagged(clock.rjust(8), Provenance.MEASURED), Tone.TEXT),
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
