"""The strip at the top of every page: all pages with their keys, and the sub-pages of the one in front; a click opens one."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from tuisim.features import PAGES, Page, siblings

BRAND = "tuisim"
_MARK, _KEY, _NAME = "bold $accent reverse", "$secondary", "$foreground"


class PageStrip(Widget):
    """The pages in one line and, where the page in front has sub-pages, those in a second; the ones in front are marked."""

    ALLOW_SELECT = False
    HELP = "Each page has a key and can be clicked. tab and → open the next sub-page, shift+tab and ← the previous one."
    BINDING_GROUP_TITLE = "pages"
    DEFAULT_CSS = "PageStrip { dock: top; height: 1; padding: 0 1; background: $footer-background; }"

    def __init__(self, name: str, entry: Page | None = None) -> None:
        """`name` is the page to mark, empty for none of them; `entry` is the sub-page in front, if it is one."""
        super().__init__()
        self._marked = name
        self._sub_page = entry if entry is not None and entry.parent else None
        self._pages = [page for page in PAGES if page.key]
        if self._sub_page is not None:
            self.styles.height = 2

    def render(self) -> Content:
        """Draw the pages and the sub-pages."""
        line = self._line()
        room = self.content_size.width - line.cell_length - 1
        if room > len(BRAND):
            line += Content.styled(BRAND.rjust(room), "bold $accent")
        if self._sub_page is None:
            return line
        line += "\n"
        for page in siblings(self._sub_page.parent):
            label = Content.styled(f" {page.title} ", _MARK if page is self._sub_page else _NAME)
            line += label.stylize(Style.from_meta({"open": page.name})) + " "
        return line + Content.styled("  ←→", _KEY)

    def _line(self) -> Content:
        """Return all pages, with full or short names; if neither fits, with the name of the page in front alone."""
        full = [page.title for page in self._pages]
        short = [page.short or page.title for page in self._pages]
        least = [page.title if page.name == self._marked else "" for page in self._pages]
        drawn = (self._drawn(names, pad) for names, pad in ((full, " "), (short, " "), (short, ""), (least, "")))
        return next((line for line in drawn if line.cell_length <= self.content_size.width), self._drawn(least, ""))

    def _drawn(self, names: list[str], pad: str) -> Content:
        labels = []
        for page, name in zip(self._pages, names, strict=True):
            key, words = f"{pad}{page.key.upper()}", f" {name}{pad}" if name else ""
            marked = page.name == self._marked
            label = Content.styled(key + words, _MARK) if marked else Content.assemble((key, _KEY), (words, _NAME))
            labels.append(label.stylize(Style.from_meta({"page": page.name})))
        return Content("" if pad else " ").join(labels)

    async def on_click(self, event: events.Click) -> None:
        """Open the page or the sub-page that was clicked."""
        for action in ("page", "open"):
            if name := event.style.meta.get(action):
                await self.app.run_action(f"{action}('{name}')")
