"""The state of an Inspect page at one moment, and its header."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuisim import units
from tuisim.config import RunConfig
from tuisim.engine.events import Snapshot, State
from tuisim.engine.look import MIN_INTERVAL
from tuisim.terminal.lines import Frame, Line, Span, Tone
from tuisim.terminal.text import network_subjects, page_header

MARKS = {State.STARTING: ("◌", Tone.DIM), State.TRAINING: ("●", Tone.GOOD), State.PAUSED: ("‖", Tone.WARNING)}


@dataclass(frozen=True)
class Inspected:
    """The latest reading of a run, and the choices made on the page."""

    page: str
    config: RunConfig
    """The resolved configuration of the run."""
    found: Any = None
    """What the page's look has read; None if there is nothing yet."""
    step: int | None = None
    """The step at which it was read."""
    words: str = ""
    """Why there is nothing, if there is nothing."""
    snapshot: Snapshot | None = None
    interval: float = MIN_INTERVAL
    """Seconds between two readings of a run in progress."""
    chosen: Any = None
    """What was chosen on the page by key or click."""


def header(state: Inspected, frame: Frame) -> list[Line]:
    """Return the page's header: the step that was read, the state of the run, and how often it is read."""
    snapshot = state.snapshot
    if snapshot is None:
        word: Span = ("no run", Tone.DIM)
    else:
        mark, tone = MARKS.get(snapshot.state, ("■", Tone.GOOD))
        often = f" · every {units.duration(state.interval)}" if state.interval > MIN_INTERVAL and mark == "●" else ""
        word = (f"{mark} step {units.count(snapshot.step if state.step is None else state.step)}{often}", tone)
    config = state.config
    details = f"{config.loss} · {config.optimizer} · {config.resolved_dataset}"
    return [page_header(state.page, network_subjects(config), [details], (word,), frame.width)]
