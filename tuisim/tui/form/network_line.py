"""The line above a page about one network: its layers and batch, to be typed over, and what is going on.

It reads texts into a configuration, or says what is wrong; what follows from it is the screen's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from tuisim.config import RunConfig
from tuisim.errors import ConfigError
from tuisim.tui.form.field import Entry
from tuisim.units import layers_text, parse_count, parse_layers


class AnswerInputs(Vertical):
    """Posts `Edited` when layers and batch are right and differ from before."""

    BINDING_GROUP_TITLE = "layers and batch"
    HELP = "Type other layers or another batch: what is counted follows at once, what is measured is measured again."
    DEFAULT_CSS = """
    AnswerInputs {
        height: auto; background: $footer-background;
        & > Horizontal { height: 1; padding: 0 1; }
        & .label { width: auto; color: $secondary; padding-right: 1; }
        & #page-title { width: auto; text-style: bold; color: $accent; padding-right: 3; }
        & #page-layers { width: 19; margin-right: 2; }
        & #page-batch { width: 8; margin-right: 2; }
        & #page-state { width: 1fr; height: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
        & #page-mistake { height: auto; color: $error; padding: 0 1; display: none; }
    }
    """

    @dataclass
    class Edited(Message):
        """Another network or batch."""

        config: RunConfig

    def __init__(self, title: str, config: RunConfig) -> None:
        super().__init__()
        self._title, self._config = title, config

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(self._title, id="page-title", markup=False)
            yield Static("layers", classes="label")
            yield Entry(id="page-layers")
            yield Static("batch", classes="label")
            yield Entry(id="page-batch")
            yield Static(id="page-state", markup=False)
        yield Static(id="page-mistake", markup=False)

    def on_mount(self) -> None:
        self.query_one("#page-layers", Entry).show(layers_text(self._config.layers))
        self.query_one("#page-batch", Entry).show(str(self._config.batch_size))

    def say(self, words: str) -> None:
        """What is going on."""
        self.query_one("#page-state", Static).update(words)

    @on(Input.Changed)
    def _read(self, event: Input.Changed) -> None:
        event.stop()
        layers, batch = (self.query_one(name, Entry).text for name in ("#page-layers", "#page-batch"))
        try:
            config, mistake = changed(self._config, layers, batch), ""
        except (ConfigError, ValueError) as error:
            config, mistake = None, f"✗ {str(error).splitlines()[0]}"
        words = self.query_one("#page-mistake", Static)
        words.update(mistake)
        words.display = bool(mistake)
        if config is not None and config != self._config:
            self._config = config
            self.post_message(self.Edited(config))

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.set_focus(None)


def changed(config: RunConfig, layers: str, batch: str) -> RunConfig:
    """`config` with these layers and this batch. Raises ConfigError or ValueError with what would be right."""
    sizes = parse_layers(layers)
    hidden = config.hidden_activation
    if not isinstance(hidden, str) and len(sizes) != len(config.layers):
        hidden = hidden[0] if hidden else "relu"
    try:
        examples = parse_count(batch)
    except ValueError as error:
        raise ValueError(f"batch: {error}") from None
    return replace(config, layers=sizes, hidden_activation=hidden, batch_size=examples)
