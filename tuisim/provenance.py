"""The provenance of numbers: five kinds, one of which every number that is shown or printed has."""

from __future__ import annotations

from enum import StrEnum


class Provenance(StrEnum):
    """The kind of a number, strongest first."""

    GIVEN = "given"
    """Set by the user."""
    COUNTED = "counted"
    """An exact integer from the step program, or a ratio of such integers."""
    MEASURED = "measured"
    """Observed in this run, on this machine."""
    PUBLISHED = "published"
    """Taken from a source, which is named."""
    PROJECTED = "projected"
    """Computed from the others for what has not happened yet."""


class Tagged(str):
    """A number as text whose kind differs from that of the panel around it."""

    __slots__ = ("mark",)

    mark: Provenance

    def __new__(cls, text: str, mark: Provenance) -> Tagged:
        """Return `text` with its kind."""
        written = super().__new__(cls, text)
        written.mark = mark
        return written


Provenances = tuple[tuple[str, Provenance], ...]
"""The kinds of a panel's numbers: (which of them, their kind), with an empty text for all the others."""
MEASURED: Provenances = (("", Provenance.MEASURED),)
"""All numbers of a panel are measured."""


def words(kinds: Provenances) -> str:
    """Return the kinds in words: `measured, parameters counted`."""
    return ", ".join(f"{which} {mark}".strip() for which, mark in kinds)
