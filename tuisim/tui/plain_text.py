"""Text from outside on its way to the terminal: file names, variables, devices and data steer nothing and are no markup.

Every widget's lines pass the filter; notices pass `notify`.
"""

from __future__ import annotations

from pathlib import Path

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import App
from textual.color import Color
from textual.filter import LineFilter
from textual.notifications import SeverityLevel

from tuisim.errors import in_words, visible
from tuisim.files import is_writable


class _Printable(LineFilter):
    """A question mark for each cell of what is not printable, and nothing for what takes no cell: lines keep their width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [Segment(_same_width(text), style) for text, style, _ in segments]


def _same_width(text: str) -> str:
    return "".join(c if c.isprintable() else "?" * cell_len(c) for c in text)


_FILTER = _Printable()


class PlainText(App[None]):
    """An app whose terminal gets no control code and no markup from outside."""

    def get_line_filters(self) -> list[LineFilter]:
        """Return Textual's filters and the one for unprintable characters."""
        return [*super().get_line_filters(), _FILTER]

    def notify(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information", timeout: float | None = None,
        markup: bool = False,
    ) -> None:  # fmt: skip
        """Show a notice as plain text; `markup` is ignored."""
        super().notify(visible(message, "\n"), title=visible(title), severity=severity, timeout=timeout, markup=False)

    def deliver_screenshot(
        self, filename: str | None = None, path: str | None = None, time_format: str | None = None
    ) -> str | None:
        """Save what is shown as an SVG file in `path`, the downloads folder or the current one, and say where, or why not."""
        if self.is_web:
            return super().deliver_screenshot(filename, path, time_format)
        try:
            saved = self.save_screenshot(filename, path or str(_downloads()), time_format)
        except OSError as error:
            self.notify(in_words(error), title="the screenshot was not saved", severity="error")
        else:
            self.notify(saved, title="screenshot saved")
        return None


def _downloads() -> Path:
    """Return the downloads folder if there is one, otherwise the current folder."""
    from platformdirs import user_downloads_path

    try:
        path = user_downloads_path()
    except (RuntimeError, ValueError, OSError):  # no home
        return Path()
    return path if path.is_absolute() and path.is_dir() and is_writable(path) else Path()
