"""The manual: its pages, their sections, and a search through them."""

from tuisim.features.manual.pages import PAGES, ManualPage, Section, glossary_anchor, pages, read, search, sections

__all__ = ["PAGES", "ManualPage", "Section", "glossary_anchor", "pages", "read", "search", "sections"]
