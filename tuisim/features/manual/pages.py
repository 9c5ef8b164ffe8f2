"""The pages of the manual as Markdown text, with the anchors of their headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import tuisim
from tuisim.errors import ConfigError, Mistake, nearest

FOLDER = Path(tuisim.__file__).parent / "manual"
PAGES = (
    "tour", "commands", "counting", "backends", "gpu", "data", "hints", "prediction", "benchmarks", "architecture", "glossary",
    "changelog",
)  # fmt: skip
"""Names of the pages in reading order; each is a file of `tuisim/manual`."""
GLOSSARY = "glossary"
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$")
_MARKUP = re.compile(r"[*`]|<!--.*?-->|!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class ManualPage:
    """A page's name, its title, and its first sentence."""

    name: str
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with the lines under it, up to the next heading."""

    page: str
    title: str
    anchor: str
    lines: tuple[str, ...]
    """Plain text, without Markdown's signs; fenced code included."""


def pages() -> tuple[ManualPage, ...]:
    """Return every page with its title and first sentence, in reading order."""
    found = []
    for name in PAGES:
        title, first, *_ = read(name).split("\n\n")
        sentence = re.split(r"(?<=\.) (?=[A-Z`])", " ".join(_MARKUP.sub(r"\1", first).split()), maxsplit=1)[0]
        found.append(ManualPage(name, title.lstrip("# "), sentence))
    return tuple(found)


@cache
def read(name: str) -> str:
    """Return a page's Markdown. Raises ConfigError if there is no page of that name."""
    if name not in PAGES:
        raise ConfigError([Mistake("page", name, nearest(name, PAGES))])
    return (FOLDER / f"{name}.md").read_text(encoding="utf-8")


@cache
def sections(name: str) -> tuple[Section, ...]:
    """Return a page's sections in order. Anchors are the ones that GitHub and Textual make from the headings."""
    return tuple(_sections(name))


def search(words: str) -> list[tuple[Section, str]]:
    """Return the sections that contain all words, each with its first line that matches; matching headings come first."""
    wanted = words.casefold().split()
    found: list[tuple[int, Section, str]] = []
    for section in chain.from_iterable(map(sections, PAGES)) if wanted else ():
        title = section.title.casefold()
        text = "\n".join((title, *section.lines)).casefold()
        if all(word in text for word in wanted):
            line = next((line for line in section.lines if wanted[0] in line.casefold()), "".join(section.lines[:1]))
            rank = 0 if title == " ".join(wanted) else 1 if all(word in title for word in wanted) else 2
            found.append((rank, section, line))
    return [(section, line) for _, section, line in sorted(found, key=lambda one: one[0])]


def glossary_anchor(term: str) -> str | None:
    """Return the anchor of a term's entry in the glossary, None if it has no entry.

    Case and signs do not matter; `runs, newest first` finds the entry of `runs`, `roofline · log-log` that of `roofline`.
    """
    anchors = {section.anchor for section in sections(GLOSSARY)}
    return next((anchor for text in (term, re.split("[:,·]", term)[0]) if (anchor := _slug(text)) in anchors), None)


def _sections(name: str) -> Iterator[Section]:
    title, anchor, lines, fenced = "", "", [""][:0], False
    seen: Counter[str] = Counter()
    for line in read(name).splitlines():
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading is None:
            if plain := _MARKUP.sub(r"\1", line).strip():
                lines.append(plain)
            continue
        if title:
            yield Section(name, title, anchor, tuple(lines))
        title, lines = _MARKUP.sub(r"\1", heading[2]), []
        base = _slug(title)
        anchor = f"{base}-{seen[base]}" if seen[base] else base
        seen[base] += 1
    yield Section(name, title, anchor, tuple(lines))


def _slug(title: str) -> str:
    """Return a heading's anchor: lower case, without signs, with dashes for spaces."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.strip().lower()))
