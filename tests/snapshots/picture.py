"""The cells of a screen, and the text file that shows the cells of the same screen in three colour modes.

A file has the characters, then a grid of letters, one for each cell, and the meaning of each letter: a style in each mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from string import ascii_letters, digits
from typing import Any
from zlib import crc32

from rich.cells import get_character_cell_size
from rich.style import Style
from textual.color import Color
from textual.filter import Monochrome
from textual.strip import Strip

from tuisim.tui.themes import DARK, LIGHT

MODES = ("dark", "light", "no colour")
PLAIN = " "
"""The letter of the default style: $foreground on $background."""
LETTERS = ascii_letters + digits + "!#$%&*+-/:;<=>?@^_~"
MORE_LETTERS = "".join(map(chr, range(0x100, 0x250)))
"""For a picture of numbers, which has many colours."""
BACKGROUNDS = ("background", "surface", "panel", "footer-background")
FOREGROUNDS = (
    "foreground", "accent", "secondary", "warning", "error", "success", "health-bad", "text-quiet", "phase-data", "phase-forward",
    "phase-loss", "phase-backward", "phase-update", "series-train", "series-validation", "border-blurred", "scrollbar",
    "block-cursor-foreground", "button-color-foreground",
)  # fmt: skip
SHARES = (0.25, 0.28, 0.6, 0.7, 0.87)
"""Opacities of a colour on a background that the style sheets use."""

Cell = tuple[str, str]
"""A character and its style in words. The second cell of a wide character has no character."""


def cells(strips: Sequence[Strip], theme: str = "") -> list[list[Cell]]:
    """Return rows of cells. Colours of the theme `theme` get their names."""
    names = _names(theme) if theme else {}
    words = cache(lambda style, is_blank: _in_words(style, is_blank, names))
    rows: list[list[Cell]] = []
    for strip in strips:
        row: list[Cell] = []
        for segment in strip:
            look = segment.style or Style.null()
            for character in segment.text:
                style = words(look, not character.strip())
                row += [(character, style), *[("", style)] * (get_character_cell_size(character) - 1)]
        rows.append(row)
    return rows


def without_colour(strips: Sequence[Strip]) -> list[Strip]:
    """Return strips as Textual draws them under NO_COLOR: in greys."""
    return [strip.apply_filter(Monochrome(), Color(0, 0, 0)) for strip in strips]


def characters(rows: Sequence[Sequence[Cell]]) -> list[str]:
    """Return the characters of each row, without the blanks at its end."""
    return ["".join(character for character, _ in row).rstrip() for row in rows]


@cache
def _names(theme_name: str) -> Mapping[str, str]:
    """Return the names of the colours of a theme by their value."""
    (theme,) = (theme for theme in (DARK, LIGHT) if theme.name == theme_name)
    variables = theme.to_color_system().generate() | theme.variables
    values = {name: Color.parse(value) for name, value in variables.items() if value.startswith("#") and " " not in value}
    found: dict[str, str] = {}
    for name in (FOREGROUNDS[0], *BACKGROUNDS, *FOREGROUNDS):
        if name in values:
            found.setdefault(values[name].hex.lower(), name)
    for name, ground, share in product(FOREGROUNDS, BACKGROUNDS, SHARES):
        if name in values and ground in values:
            mixed = values[ground].blend(values[name], share)
            found.setdefault(mixed.hex.lower(), f"{name} {round(100 * share)}%")
    return found


def _in_words(style: Style, is_blank: bool, names: Mapping[str, str]) -> str:
    """Return the visible part of a style. The colour of a blank is not seen."""

    def name(color: Any) -> str:
        if color is None or color.triplet is None:
            return "default"
        return names.get(color.triplet.hex, color.triplet.hex)

    front, ground = name(style.color), name(style.bgcolor)
    if style.reverse:
        front, ground = ground, front
    marks = [word for word in ("bold", "dim", "italic", "underline", "strike") if getattr(style, word)]
    if is_blank:
        front, marks = "", [word for word in marks if word in ("underline", "strike")]
    ink = " ".join((front, *marks)).strip()
    return f"{ink} on {ground}".strip()


# ── the file ──


@dataclass(frozen=True)
class Picture:
    """A screen of one size in all modes: the characters are the same in each."""

    rows: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...]
    """Cells: a character, and its style in each mode."""

    @classmethod
    def of(cls, modes: Sequence[list[list[Cell]]]) -> Picture:
        """Return the picture of the cells in each mode. Raises ValueError if their characters differ."""
        first, *others = map(characters, modes)
        for mode, other in zip(MODES[1:], others, strict=True):
            for at, (a, b) in enumerate(zip(first, other, strict=True)):
                if a != b:
                    raise ValueError(f"row {at} is {a!r} in {MODES[0]} and {b!r} in {mode}")
        return cls(
            tuple(
                tuple((cell[0][0], tuple(style for _, style in cell)) for cell in zip(*row, strict=True))
                for row in zip(*modes, strict=True)
            )
        )

    @property
    def lines(self) -> list[str]:
        """The characters of each row."""
        return ["".join(character for character, _ in row).rstrip() for row in self.rows]

    @property
    def width(self) -> int:
        """The cells of the widest row."""
        return max(map(len, self.rows))

    def text(self) -> str:
        """Return the text of the file."""
        letters = _letters({style for row in self.rows for _, style in row}, self._plain)
        grid = ["".join(letters[style] for _, style in row).rstrip() for row in self.rows]
        legend = sorted((letter, style) for style, letter in letters.items() if letter != PLAIN)
        meaning = [f"{letter}  {_said(style)}" for letter, style in legend]
        return "\n".join([*self.lines, "── styles ──", *grid, "── letters ──", *meaning, ""])

    @property
    def _plain(self) -> frozenset[tuple[str, ...]]:
        """The styles that are drawn as blanks: the screen's own background."""
        ground = ("on background", "on background")
        return frozenset(style for row in self.rows for _, style in row if style[:2] == ground)


def _letters(styles: set[tuple[str, ...]], plain: frozenset[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """Return a letter for each style. It follows from the style, so that a new one seldom changes the letter of another."""
    found = dict.fromkeys(plain, PLAIN)
    letters = LETTERS if len(styles - plain) <= len(LETTERS) else LETTERS + MORE_LETTERS
    taken: set[str] = set()
    for style in sorted(styles - plain):
        at = crc32(_said(style).encode()) % len(letters)
        while letters[at] in taken:
            at = (at + 1) % len(letters)
        taken.add(letters[at])
        found[style] = letters[at]
    return found


def _said(style: tuple[str, ...]) -> str:
    """Return a style in all modes, in words."""
    dark, light, plain = style
    return f"{dark} · {MODES[2]} {plain}" if dark == light else f"{dark} · light {light} · {MODES[2]} {plain}"
