"""The five kinds of number. Every number that is shown or printed is of one, and says of which.

It knows neither screens nor documents.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Provenance(StrEnum):
    """Where a number comes from, strongest first."""

    GIVEN = "given"
    """Set by whoever runs it."""
    COUNTED = "counted"
    """An exact integer from the program, or a ratio of such."""
    MEASURED = "measured"
    """Observed in this run, on this machine."""
    PUBLISHED = "published"
    """Somebody else's, with its source."""
    PROJECTED = "projected"
    """Reckoned from the others, for what has not happened."""


_ORDER = tuple(Provenance)


def weakest(marks: Iterable[Provenance]) -> Provenance:
    """The kind of a number derived from others of these kinds. Raises ValueError where there are none."""
    return max(marks, key=_ORDER.index)


class Tagged(str):
    """A number as written, of a kind of its own: not that of what stands round it."""

    __slots__ = ("mark",)

    mark: Provenance

    def __new__(cls, text: str, mark: Provenance) -> Tagged:
        written = super().__new__(cls, text)
        written.mark = mark
        return written


Provenances = tuple[tuple[str, Provenance], ...]
"""What a panel's numbers are: (which of them, their kind), with nothing for which where it is all the others."""


def words(kinds: Provenances) -> str:
    """`measured, parameters counted`."""
    return ", ".join(f"{which} {mark}".strip() for which, mark in kinds)
