"""Counts in columns: at most so many characters, decimal points under each other.

It does not know what is counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from tuisim.units import short_count, size

BLANK = "·"
"""What stands where nothing is done."""


def number(value: int | float | None, width: int) -> str:
    """A count in at most `width` characters: whole where it fits, else with an SI prefix, else as a power of ten."""
    text = short_count(value, width)
    if value is None or len(text) <= width:
        return text
    return f"{value:.2e}" if width >= 8 else f"{value:.0e}"


def weight(bytes_: int) -> str:
    """A number of bytes in binary units, or beyond them as a power of ten."""
    text = size(bytes_)
    return text if len(text) <= 12 else f"{bytes_:.2e} B"


def aligned(values: Sequence[int | float], width: int) -> list[str]:
    """A column of `width`, right-aligned, with its decimal points under each other."""
    texts = [number(value, width - 1) if value else BLANK for value in values]
    fraction = any("." in text and text[-1].isdigit() for text in texts)
    if fraction and all(len(text) + 3 < width or "." in text for text in texts):
        texts = [text if "." in text else f"{text}   " for text in texts]
    return [f"{text:>{width}}" for text in texts]
