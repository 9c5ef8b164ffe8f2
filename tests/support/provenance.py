"""Checks of the provenance of every number in a document and on a panel."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tuisim.provenance import Tagged
from tuisim.terminal.lines import Line, text


def numbers(value: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted path of every number."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner, f"{path}[]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def marked(path: str, marks: Iterable[str]) -> bool:
    """Return True if a mark names this path or one above it; `*` is any key."""
    patterns = (re.escape(known).replace(r"\*", r"[^.\[]+") for known in marks)
    return any(re.match(rf"{pattern}(?=$|\.|\[)", path) for pattern in patterns)


def unmarked(document: dict[str, Any]) -> set[str]:
    """Return the paths of numbers without a mark."""
    return {path for path in numbers(document) if not marked(path, document["marks"])}


def said(lines: Iterable[Line], kinds: str) -> None:
    """Assert that the provenance of each tagged number is on its line or among `kinds`."""
    for line in lines:
        for characters, _ in line:
            if isinstance(characters, Tagged) and characters.strip():
                assert str(characters.mark) in text(line) + kinds, text(line)
