"""A measurement of the answer's claims in the background: what it has so far is published by reference, for whoever polls."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tuisim.config import RunConfig
from tuisim.engine.job import Background
from tuisim.engine.step_time import Wanted
from tuisim.features.explain.answer.answer import measure
from tuisim.features.explain.answer.claims import Measured

Method = Callable[[RunConfig, Measured, Wanted], Iterator[Measured]]


class Measuring(Background):
    """Measures what `known` lacks of `config`, after an earlier measurement has ended: two at a time would time each other."""

    def __init__(self, config: RunConfig, known: Measured, earlier: Measuring | None = None, method: Method = measure) -> None:
        super().__init__("measuring")
        self._config, self._earlier, self._method = config, earlier, method
        self.found = known
        """What is known by now."""

    def work(self) -> None:
        if self._earlier is not None:
            self._earlier.join()
            self._earlier = None
        for found in self._method(self._config, self.found, lambda: self.wanted):
            if self.wanted:
                self.found = found
