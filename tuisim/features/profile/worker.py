"""A step taken apart in the background: how far it has come, and its profile at the end, for whoever polls."""

from __future__ import annotations

from tuisim.config import RunConfig
from tuisim.engine.job import Background
from tuisim.features.profile.step_profile import Profile, profile


class ProfileWorker(Background):
    """One profile of `config`'s step."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__("profile")
        self._config = config
        self.done = 0.0
        """Share of the rounds."""
        self.profile: Profile | None = None
        """Once it has ended."""

    def work(self) -> None:
        found = profile(self._config, lambda: self.wanted, self._tell)
        if self.wanted:
            self.profile = found

    def _tell(self, done: float) -> None:
        self.done = done
