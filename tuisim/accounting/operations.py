"""How many scalar operations of each kind: exact integers that add up and multiply."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import add, attrgetter


@dataclass(frozen=True, slots=True)
class Operations:
    """A tally. An activation or a derivative is one operation; what is inside it is not counted."""

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
        """All kinds together."""
        return sum(_values(self))

    @property
    def flops(self) -> int:
        """multiply + add + divide + sqrt: a count, not a rate."""
        return self.multiply + self.add + self.divide + self.sqrt

    @property
    def multiply_adds(self) -> int:
        """multiply + add: the numerator of utilization."""
        return self.multiply + self.add

    @property
    def other(self) -> int:
        """What a narrow table shows as one column: divisions, comparisons, exponentials, logarithms, roots."""
        return self.divide + self.compare + self.exp + self.log + self.sqrt

    def as_dict(self) -> dict[str, int]:
        return dict(zip(KINDS, _values(self), strict=True))

    def per(self, examples: int) -> dict[str, int | float]:
        """Each kind over `examples`; whole where it divides evenly."""
        return {name: share(value, examples) for name, value in self.as_dict().items()}


KINDS = tuple(field.name for field in fields(Operations))
# dataclasses.astuple copies deeply, at thirty times the price, and a live view adds these up ten times a second.
_values = attrgetter(*KINDS)


def share(value: int, parts: int) -> int | float:
    """value / parts, kept whole where it is."""
    whole, rest = divmod(value, parts)
    return value / parts if rest else whole
