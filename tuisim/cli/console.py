"""Console output of the commands, with control characters escaped and markup disabled.

Results go to stdout, messages to stderr. JSON is printed as it is: its own escapes are enough.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from threading import Event, Lock
from types import TracebackType
from typing import Any, ClassVar

from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from tuisim.errors import visible
from tuisim.terminal.colours import rgb
from tuisim.terminal.lines import UNLIMITED, Frame, Line, Shade, Tone

MIN_WIDTH = 60
"""Columns. A narrower terminal wraps the lines, because a number that is cut off would be wrong."""


class CommandConsole(Console):
    """A rich console that prints text without markup, and raises BrokenPipeError where rich would exit with 1."""

    def __init__(self, piped: int = 0, **options: Any) -> None:
        """`piped`: columns if there is neither a terminal nor COLUMNS."""
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        wide = piped if not self.is_terminal and "COLUMNS" not in os.environ else 0
        self.width = max(self.width, wide, MIN_WIDTH)

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape control characters before the layout, which then has room for the escapes."""
        return super().render_str(visible(text, "\n"), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Escape control characters in renderables that are not plain strings."""
        for segment in super().render(renderable, options):
            plain = segment.control or segment.text.isprintable()
            yield segment if plain else Segment(visible(segment.text, "\n"), segment.style)

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError."""
        raise BrokenPipeError


STYLES: dict[Tone, str] = {
    Tone.DIM: "dim", Tone.FAINT: "dim", Tone.STRONG: "bold", Tone.ACCENT: "bold cyan", Tone.GOOD: "green", Tone.WARNING: "yellow",
    Tone.BAD: "bold red", Tone.AREA: "cyan", Tone.TRAINING: "cyan", Tone.VALIDATION: "magenta", Tone.DATA: "blue",
    Tone.FORWARD: "cyan", Tone.LOSS: "yellow", Tone.BACKWARD: "magenta", Tone.UPDATE: "green",
}  # fmt: skip
"""Styles of the tones on the command line; other tones are plain text."""


def print_lines(lines: Iterable[Line], console: Console | None = None) -> None:
    """Print a page's lines on stdout, in colour on a terminal."""
    console = CommandConsole() if console is None else console
    for one in lines:
        console.print(Text.assemble(*((characters, _style(tone)) for characters, tone in one)), soft_wrap=True)


def _style(tone: Tone | Shade) -> str | Style:
    """Return a tone's style, or the colours of a picture as in a dark theme."""
    if isinstance(tone, Tone):
        return STYLES.get(tone, "")
    front, back = (None if one is None else Color.from_rgb(*rgb(one, dark=True, coloured=True)) for one in tone)
    return Style(color=front, bgcolor=back)


PAGE_WIDTH = 112
"""Columns of a page where there is neither a terminal to ask nor COLUMNS set."""


def print_result(
    as_json: bool, document: Callable[[], Mapping[str, Any]], draw: Callable[[Frame], list[Line]], piped: int = PAGE_WIDTH
) -> None:
    """Print a command's JSON document, or its page with all lines of the zoomed panels.

    A page is as wide as the terminal, or has `piped` columns without one.
    """
    if as_json:
        print(json.dumps(document(), allow_nan=False))
    else:
        console = CommandConsole(piped)
        print_lines(draw(Frame(console.width, UNLIMITED, zoomed=True)), console)


def line(words: str) -> None:
    """Print a line on stdout."""
    print(visible(words))


def note(words: str) -> None:
    """Print a line on stderr that begins with `tuisim:`."""
    message(f"tuisim: {words}")


def message(words: str) -> None:
    """Print a line on stderr, in place of a progress line that is shown."""
    with _writing:
        erase = "\r\x1b[K" if ProgressLine.is_drawn else ""
        print(f"{erase}{visible(words)}", file=sys.stderr)


_writing = Lock()
"""Held while something is written to stderr: a progress line may be drawn by another thread."""


class ProgressLine:
    """A line on stderr, on a terminal only, that `show` overwrites and that is removed at the end of a `with` block."""

    is_drawn: ClassVar[bool] = False
    """True while a line is on the terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.show("")

    @property
    def is_shown(self) -> bool:
        """True if there is a terminal to show it on."""
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """The cells that words have."""
        return self._console.width - 1

    def show(self, words: str, unless: Event | None = None) -> None:
        """Show these words in place of the last ones, cut to the terminal's width; not `unless` it is set by then."""
        if not self.is_shown:
            return
        with _writing:
            if unless is not None and unless.is_set():
                return
            ProgressLine.is_drawn = bool(words)
            print(f"\r\x1b[K{visible(words[: self.width])}", end="", file=sys.stderr, flush=True)
