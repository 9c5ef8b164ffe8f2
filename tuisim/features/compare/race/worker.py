"""A race in the background: how all stand is published by reference, for whoever polls."""

from __future__ import annotations

from collections.abc import Sequence

from tuisim.config import RunConfig
from tuisim.engine.job import Background
from tuisim.features.compare.entries import Entry
from tuisim.features.compare.race.race import SECONDS, Comparison, Race, Standing


class RaceWorker(Background):
    """One comparison of `entries` on `config`."""

    def __init__(self, config: RunConfig, entries: Sequence[Entry], seconds: float = SECONDS) -> None:
        super().__init__("race")
        self._config, self._entries, self._seconds = config, tuple(entries), seconds
        self.standings: tuple[Standing, ...] = ()
        """The latest; empty until the first contender is set up."""
        self.comparison: Comparison | None = None
        """Once it has ended."""

    def work(self) -> None:
        race = Race(self._config, self._entries, self._seconds, lambda: self.wanted)
        self.standings = race.standings()
        found = race.run(self._tell)
        if self.wanted:
            self.comparison = found

    def _tell(self, standings: tuple[Standing, ...]) -> None:
        self.standings = standings
