"""The line filter of the ASCII style: every other character becomes one of ASCII as wide as it is."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_ALIKE = {
    "×": "x", "÷": "/", "·": ".", "−": "-", "–": "-", "—": "-", "…": ".", "±": "~", "≈": "~", "≠": "!", "≤": "<", "≥": ">",
    "µ": "u", "λ": "l", "Δ": "d", "∂": "d", "Σ": "S", "σ": "s", "Φ": "P", "√": "v", "‖": "|", "′": "'", "²": "2", "³": "3",
    "→": ">", "←": "<", "↑": "^", "↓": "v", "▲": "^", "▼": "v", "▸": ">", "▶": ">", "◀": "<", "◂": "<", "⏎": "<", "⌫": "<",
    "✓": "+", "✗": "x", "●": "o", "○": "o", "◆": "o", "•": "*", "■": "#", "□": "#", "½": ".", "°": "o", "é": "e",
    "α": "a", "β": "b", "ε": "e", "θ": "t", "μ": "u", "π": "p", "ρ": "r", "φ": "p", "∞": "~", "⊙": "*", "⌊": "[", "⌋": "]",
    "∛": "v", "✕": "x", "◌": "o", "◐": "o", "▾": "v", "↕": "|", "⇧": "^", "›": ">", "‹": "<", "’": "'", "‴": "'", "ü": "u",
    "⅓": ".", "¼": ".", "⁻": "-", "ⁿ": "n", "ᵀ": "T", "ᵗ": "t", "ᵢ": "i", "ⱼ": "j", "ₜ": "t", "📁": "[]", "📂": "[]", "📄": "- ",
} | dict(zip("⁰¹⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "01456789" + "0123456789", strict=True))  # fmt: skip
_HORIZONTAL, _VERTICAL = "━─╍┄┈╌═╸╺╼╾▔▁‾⎯", "│┃┊┆╎║▏▎▍▌▐▕"
_BOXES, _BLOCKS, _BRAILLE = range(0x2500, 0x2580), range(0x2580, 0x25A0), range(0x2800, 0x2900)


class AsciiFilter(LineFilter):
    """Shows text in ASCII, for terminals and fonts that have nothing else."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments with their text in ASCII."""
        return [Segment(in_ascii(text), style, control) for text, style, control in segments]


ASCII_FILTER = AsciiFilter()


@lru_cache(4096)
def in_ascii(text: str) -> str:
    """Return `text` in ASCII, as wide as it was."""
    return text if text.isascii() else "".join(character if character.isascii() else _alike(character) for character in text)


def _alike(character: str) -> str:
    """Return ASCII characters as wide as a character, that look like it if there are such."""
    code = ord(character)
    if character in _ALIKE:
        return _ALIKE[character]
    if character in _HORIZONTAL:
        return "-"
    if character in _VERTICAL:
        return "|"
    if code in _BOXES:
        return "+"
    if code in _BLOCKS or code in _BRAILLE:
        return "#"
    return "?" * cell_len(character)
