"""Which two to hold against each other where nobody says: the fastest kinds that are at hand first.

It measures nothing: which one is faster, and where, is what the sweep finds out.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

from tuisim.backends import known, names, probe
from tuisim.config import usable_cores
from tuisim.features.compare.entries import BackendEntry

Duel = tuple[BackendEntry, BackendEntry]


def works(name: str) -> bool:
    """Whether a backend works here, found out by importing what it needs."""
    return probe(name).available


def likely_works(name: str) -> bool:
    """The same from what is known without importing anything; one that is installed has the benefit of the doubt."""
    found = known(name)
    return found is None or found.available


def duels(at_hand: Callable[[str], bool] = works, cores: int | None = None) -> tuple[Duel, ...]:
    """Pairs worth a sweep, the first one where none is asked for.

    NumPy against each other fast backend, those against one another, one thread against every core, and plain Python last.
    """
    cores = usable_cores() if cores is None else cores
    others = [BackendEntry(name, None) for name in reversed(names()) if name not in ("numpy", "scalar") and at_hand(name)]
    numpy = BackendEntry("numpy", None)
    found: list[Duel] = [(numpy, other) for other in others]
    found += combinations(others, 2)
    if cores > 1:
        found.append((BackendEntry("numpy", 1), BackendEntry("numpy", cores)))
    return (*found, (numpy, BackendEntry("scalar", None)))
