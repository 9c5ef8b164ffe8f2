"""The manual in the app: one page at a time, with a search through all pages."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, Markdown, MarkdownViewer, OptionList, Tab, Tabs
from textual.widgets.option_list import Option

from tuisim.features.manual.pages import GLOSSARY, PAGES, Section, glossary_anchor, read, search
from tuisim.tui.key_line import KeyLine
from tuisim.tui.page import PageScreen

MAX_RESULTS = 100
MIN_CONTENTS_WIDTH = 100
"""Columns from which on the table of contents stands beside the page."""


class Reader(MarkdownViewer):
    """A Markdown viewer that leaves links to its screen."""

    async def _on_markdown_link_clicked(self, message: Markdown.LinkClicked) -> None:
        """Leave the message to the screen: links name pages, not paths."""


class ManualScreen(PageScreen[None]):
    """The manual, opened at a page and, if given, at one of its headings."""

    TITLE = "manual"
    HELP = "The manual's pages. Links and search results lead to other pages."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "back", key_display="esc"),
        Binding("left,shift+tab", "turn(-1)", "previous page", key_display="←"),
        Binding("right,tab", "turn(1)", "next page", key_display="→"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("u", "undo", "last link", tooltip="Go back to where the last link was"),
        Binding("down,j", "scroll(1)", "scroll down", show=False),
        Binding("up,k", "scroll(-1)", "scroll up", show=False),
    ]
    DEFAULT_CSS = """
    ManualScreen {
        Tabs { height: 2; }
        Reader { height: 1fr; }
        #results { height: 1fr; border: none; display: none; }
        #words { dock: bottom; border: none; height: 1; margin-bottom: 1; display: none; }
        &.-searching { #results, #words { display: block; } Reader { display: none; } }
        MarkdownTableOfContents { width: 34; background: $surface; }
    }
    """

    def __init__(self, page: str = PAGES[0], anchor: str | None = None) -> None:
        super().__init__()
        self.page, self._anchor = page, anchor
        self._history: list[tuple[str, str | None]] = []
        self._found: list[tuple[Section, str]] = []

    @classmethod
    def about(cls, term: str) -> ManualScreen:
        """Return the manual at the glossary's entry of a term, or at its first page if the term has none."""
        anchor = glossary_anchor(term) if term else None
        return cls() if anchor is None else cls(GLOSSARY, anchor)

    def compose(self) -> ComposeResult:
        """Yield the tabs, the page, the results of a search and its input."""
        yield Tabs(*(Tab(name, id=name) for name in PAGES), active=self.page)
        yield Reader(read(self.page), open_links=False)
        yield OptionList(id="results", markup=False)
        yield Input(placeholder="search the manual", id="words", select_on_focus=True)
        yield KeyLine()

    def on_mount(self) -> None:
        """Focus the text and scroll to the heading."""
        self.query_one(Tabs).can_focus = False
        self.query_one(Markdown).focus()
        self.call_after_refresh(self._go_to_anchor)

    def on_resize(self) -> None:
        """Show the table of contents where there is room for it."""
        self.query_one(Reader).show_table_of_contents = self.size.width >= MIN_CONTENTS_WIDTH

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does something now: while words are typed, the pages stay."""
        return action not in {"turn", "undo", "search"} or not self.has_class("-searching")

    # ── Pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self, page: str, anchor: str | None = None) -> None:
        """Show a page, from its top or from a heading on."""
        self._anchor = anchor
        if page != self.page:
            self.page = page
            self.query_one(Tabs).active = page
            await self.query_one(Markdown).update(read(page))
        self.query_one(Reader).scroll_home(animate=False)
        self.call_after_refresh(self._go_to_anchor)

    def _go_to_anchor(self) -> None:
        if self._anchor:
            self.query_one(Markdown).goto_anchor(self._anchor)

    async def on_tabs_tab_activated(self, message: Tabs.TabActivated) -> None:
        """Show the page whose tab was clicked."""
        if message.tab.id and message.tab.id != self.page:
            await self.open(message.tab.id)

    async def on_markdown_link_clicked(self, message: Markdown.LinkClicked) -> None:
        """Open another page of the manual, or show the address of anything else."""
        message.stop()
        path, _, anchor = message.href.partition("#")
        page = path.removesuffix(".md") or self.page
        if page in PAGES:
            self._history.append((self.page, self._anchor))
            await self.open(page, anchor)
        else:
            self.notify(message.href, title="link")

    async def action_turn(self, by: int) -> None:
        """Show the next page or the one before."""
        await self.open(PAGES[(PAGES.index(self.page) + by) % len(PAGES)])

    async def action_undo(self) -> None:
        """Return to where the last link or search result was followed from."""
        if self._history:
            await self.open(*self._history.pop())

    def action_scroll(self, by: int) -> None:
        """Scroll the page by a line, or move through the results while words are typed."""
        if self.has_class("-searching"):
            results = self.query_one(OptionList)
            (results.action_cursor_up if by < 0 else results.action_cursor_down)()
            return
        self.query_one(Reader).scroll_relative(y=by, animate=False)

    def action_back(self) -> None:
        """Close the search, or else the manual."""
        if self.has_class("-searching"):
            self._end_search()
        else:
            self.dismiss(None)

    # ── Search ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def action_search(self) -> None:
        """Ask for words to look for."""
        self.add_class("-searching")
        self.refresh_bindings()
        self.query_one(Input).focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """List what contains the words."""
        self._found = search(message.value)[:MAX_RESULTS]
        results = self.query_one(OptionList)
        results.clear_options()
        results.add_options([
            Option(Content.assemble((f"{section.page} › ", "$text-muted"), (section.title, "bold"), f"  {line}"))
            for section, line in self._found
        ])  # fmt: skip
        if self._found:
            results.highlighted = 0

    @on(Input.Submitted)
    @on(OptionList.OptionSelected)
    async def _open_result(self) -> None:
        """Open the highlighted result; a click on one highlights it first."""
        index = self.query_one(OptionList).highlighted
        if index is None:
            return
        section, _ = self._found[index]
        self._history.append((self.page, self._anchor))
        self._end_search()
        await self.open(section.page, section.anchor)

    def _end_search(self) -> None:
        self.remove_class("-searching")
        self.refresh_bindings()
        self.query_one(Markdown).focus()
