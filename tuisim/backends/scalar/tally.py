"""A tally: nine counters that kernels add to as they go."""

from __future__ import annotations


class Tally:
    """How many scalar operations of each kind have been done; the names are those of the ledger's kinds."""

    __slots__ = ("activation", "add", "compare", "derivative", "divide", "exp", "log", "multiply", "sqrt")

    def __init__(self) -> None:
        self.multiply = self.add = self.divide = self.compare = 0
        self.exp = self.log = self.sqrt = self.activation = self.derivative = 0

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}
