"""The counts of one part of the soak: tried and failed."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts by name, failures in words; `left` says how much time there still is."""

    name: str
    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.begun)

    def fail(self, words: str) -> None:
        self.failures.append(words)

    def lines(self) -> list[str]:
        counted = ", ".join(f"{number:,} {what}" for what, number in self.counts.items())
        spent = time.monotonic() - self.begun
        first = f"{self.name}: {counted or 'nothing'}; {len(self.failures)} failed ({spent:.0f} s)"
        return [first, *(f"  {note}" for note in self.notes), *(f"  failed: {words}" for words in self.failures[:20])]
