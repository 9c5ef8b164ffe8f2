"""Counts in columns: limited in characters, with aligned decimal points."""

from __future__ import annotations

from collections.abc import Sequence

from tuisim.units import short_count, size

BLANK = "·"
"""The cell of a count of 0."""


def number(value: int | float | None, width: int) -> str:
    """Write a count in at most `width` characters: in full if it fits, else with an SI prefix, else as a power of ten."""
    text = short_count(value, width)
    if value is None or len(text) <= width:
        return text
    return f"{value:.2e}" if width >= 8 else f"{value:.0e}"


def weight(bytes_: int) -> str:
    """Write a number of bytes in binary units, or as a power of ten beyond them."""
    text = size(bytes_)
    return text if len(text) <= 12 else f"{bytes_:.2e} B"


def aligned(values: Sequence[int | float], width: int) -> list[str]:
    """Write a right-aligned column of `width` cells with aligned decimal points."""
    texts = [number(value, width - 1) if value else BLANK for value in values]
    fraction = any("." in text and text[-1].isdigit() for text in texts)
    if fraction and all(len(text) + 3 < width or "." in text for text in texts):
        texts = [text if "." in text else f"{text}   " for text in texts]
    return [f"{text:>{width}}" for text in texts]
