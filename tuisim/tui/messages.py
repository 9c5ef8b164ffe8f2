"""Messages from the setup and run screens to the app."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from tuisim.config import RunConfig
from tuisim.engine import Worker
from tuisim.terminal.lines import ChartStyle


@dataclass
class StartRequested(Message):
    """Start a run of `config`; a run in progress is stopped for it."""

    config: RunConfig
    described: RunConfig | None = None
    """The same run before the data decided anything of it; None if only `config` is known."""


@dataclass
class EditRequested(Message):
    """Set one field of the form."""

    field: str
    text: str


@dataclass
class ChartStyleChosen(Message):
    """Charts are to be drawn in a style, on every page."""

    chart_style: ChartStyle


@dataclass
class Reopened(Message):
    """The run in front, which had ended, goes on with another worker, which has been started."""

    worker: Worker


class Uncovered(Message):
    """The screen is in front again: the page over it was left."""


class RunLeft(Message):
    """The run screen was left for the setup screen."""
