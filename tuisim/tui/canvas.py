"""A widget that shows lines through Textual's Line API and repaints only the lines that changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tuisim.errors import visible
from tuisim.terminal.colours import rgb
from tuisim.terminal.lines import BLANK, Line, Shade, Tone, width_of
from tuisim.tui.ascii_filter import AsciiFilter
from tuisim.tui.themes import MIN_CONTRAST, readable

AREA_CONTRAST = 2.0
"""Minimum contrast of a large filled shape."""


class Canvas(Widget):
    """Lines of toned text. A tone's look is the component class `canvas--TONE`."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"canvas--{tone}" for tone in Tone}
    DEFAULT_CSS = """
    Canvas {
        .canvas--text { color: $foreground; }
        .canvas--dim { color: $foreground 60%; }
        .canvas--faint { color: $foreground 25%; }
        .canvas--strong { color: $foreground; text-style: bold; }
        .canvas--accent { color: $accent; text-style: bold; }
        .canvas--area { color: $accent 70%; }
        .canvas--good { color: $foreground; text-style: bold; }
        .canvas--update { color: $phase-update; }
        .canvas--warning { color: $health-bad; }
        .canvas--bad { color: $health-bad; text-style: bold; }
        .canvas--training { color: $series-train; }
        .canvas--validation { color: $series-validation; }
        .canvas--data { color: $phase-data; }
        .canvas--forward { color: $phase-forward; }
        .canvas--loss { color: $phase-loss; }
        .canvas--backward { color: $phase-backward; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        """Show nothing yet."""
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._strips: list[Strip] = []
        self._looks: dict[Tone | Shade, Style] = {}
        self._blank: Strip | None = None
        self._width = 0
        self._is_outdated = False
        """True if the strips are in the styles before the last change."""

    @property
    def lines(self) -> Sequence[Line]:
        """The lines that are shown."""
        return self._lines

    def show(self, lines: Sequence[Line]) -> None:
        """Show `lines` from the top; only those that differ from what is there are repainted."""
        old, strips = self._lines, self._strips
        changed = [y for y, (before, after) in enumerate(zip(old, lines, strict=False)) if before != after]
        for y in changed:
            strips[y] = self._strip(lines[y])
        if len(lines) != len(old):
            strips[len(lines) :] = [self._strip(line) for line in lines[len(old) :]]
            changed += range(min(len(old), len(lines)), max(len(old), len(lines)))
        self._lines = list(lines)
        if changed:  # one region per run of neighbouring rows
            runs = [[y for _, y in run] for _, run in groupby(enumerate(changed), key=lambda row: row[1] - row[0])]
            self.refresh(*(Region(0, run[0], self._width, len(run)) for run in runs))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the prebuilt strips: a canvas has no border, padding or links for Textual to add."""
        if self._is_outdated and self.is_attached:  # one that is being removed has no styles any more
            self._rebuild()
        if self._blank is None:
            self._blank = self._strip(BLANK)
        rows = [self._strips[y] if y < len(self._strips) else self._blank for y in crop.line_range]
        return rows if crop.column_span == (0, self._width) else [row.crop(crop.x, crop.right) for row in rows]

    def notify_style_update(self) -> None:
        """Have the strips rebuilt before they are next painted: Textual sets the component styles after this call."""
        super().notify_style_update()
        self._is_outdated = True

    def on_resize(self, event: events.Resize) -> None:
        """Rebuild the strips for the new width."""
        self._width = event.size.width
        self._rebuild()

    def _rebuild(self) -> None:
        self._is_outdated = False
        self._looks.clear()
        self._blank = None
        if self.is_mounted:
            self._strips = [self._strip(line) for line in self._lines]

    def _strip(self, line: Line) -> Strip:
        """Return a line as wide as the canvas."""
        line = tuple([(visible(characters), tone) for characters, tone in line])
        segments = [Segment(characters, self._look(tone)) for characters, tone in line if characters]
        for line_filter in self.get_line_filters():
            if isinstance(line_filter, AsciiFilter):
                segments = line_filter.apply(segments, self.background_colors[1])
        taken = width_of(line)
        if taken < self._width:
            segments.append(Segment(" " * (self._width - taken), self._look(Tone.TEXT)))
        strip = Strip(segments, max(taken, self._width))
        return strip.crop(0, self._width) if taken > self._width else strip

    def _look(self, tone: Tone | Shade) -> Style:
        """Return a tone's style in its final colours.

        Textual forgets component styles at every refresh and filters colours line by line; they change only with the theme.
        """
        if tone in self._looks:
            return self._looks[tone]
        if isinstance(tone, Shade):
            self._looks[tone] = self._shade(tone)
        else:
            segments = [Segment(" ", self.get_component_rich_style(f"canvas--{tone}"))]
            for line_filter in self.get_line_filters():
                segments = line_filter.apply(segments, self.background_colors[1])
            self._looks[tone] = _readable(segments[0].style or Style.null(), tone)
        return self._looks[tone]

    def _shade(self, shade: Shade) -> Style:
        """Return the style of a cell of a picture; what has no colour is as text."""
        dark, coloured = self.app.current_theme.dark, not self.app.no_color
        front, back = (None if one is None else Color(*rgb(one, dark, coloured)).rich_color for one in shade)
        return self._look(Tone.TEXT) + Style(color=front, bgcolor=back)


def _readable(style: Style, tone: Tone) -> Style:
    """Return the style with a foreground that can be read on its background; the empty part of a bar may stay faint."""
    if tone is Tone.FAINT or not style.color or not style.bgcolor or not style.color.triplet or not style.bgcolor.triplet:
        return style
    colour, background = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
    found = readable(colour, [background], AREA_CONTRAST if tone is Tone.AREA else MIN_CONTRAST)
    return style if found == colour else style + Style.from_color(found.rich_color)
