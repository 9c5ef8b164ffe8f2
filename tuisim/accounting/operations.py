"""Counts of scalar operations by kind: exact integers that can be added and multiplied."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import add, attrgetter


@dataclass(frozen=True, slots=True)
class Operations:
    """Counts by kind. An activation or a derivative is one operation; what is inside it is not counted."""

    multiply: int = 0
    add: int = 0
    """Subtractions are additions."""
    divide: int = 0
    compare: int = 0
    exp: int = 0
    log: int = 0
    sqrt: int = 0
    activation: int = 0
    derivative: int = 0

    def __add__(self, other: Operations) -> Operations:
        return Operations(*map(add, _values(self), _values(other)))

    def __mul__(self, times: int) -> Operations:
        return Operations(*(value * times for value in _values(self)))

    @property
    def total(self) -> int:
        """The sum over all kinds."""
        return sum(_values(self))

    @property
    def flops(self) -> int:
        """The sum multiply + add + divide + sqrt: a count, not a rate."""
        return self.multiply + self.add + self.divide + self.sqrt

    @property
    def multiply_adds(self) -> int:
        """The sum multiply + add, the numerator of utilization."""
        return self.multiply + self.add

    @property
    def other(self) -> int:
        """Divisions, comparisons, exponentials, logarithms and roots: one column of a narrow table."""
        return self.divide + self.compare + self.exp + self.log + self.sqrt

    def as_dict(self) -> dict[str, int]:
        """Return the counts by kind."""
        return dict(zip(KINDS, _values(self), strict=True))

    def per(self, examples: int) -> dict[str, int | float]:
        """Return each count divided by `examples`, an integer where it divides evenly."""
        return {name: share(value, examples) for name, value in self.as_dict().items()}


KINDS = tuple(field.name for field in fields(Operations))
# dataclasses.astuple copies deeply and takes thirty times as long; a live view adds these up ten times a second.
_values = attrgetter(*KINDS)


def share(value: int, parts: int) -> int | float:
    """Return value / parts, an integer where it divides evenly."""
    whole, rest = divmod(value, parts)
    return value / parts if rest else whole
