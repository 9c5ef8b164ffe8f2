"""A calibration in place of the real one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from tests.support.made_machine_profile import entry, machine_profile
from tuisim.engine.job import Cancelled
from tuisim.errors import RunError
from tuisim.predict.profile import MachineProfile, ProfileKey


class Calibration:
    """Adds an entry made by hand, or waits until it is cancelled."""

    def __init__(self, waits: bool = False, fails: str = "") -> None:
        self.jobs: list[ProfileKey] = []
        self.ended = threading.Event()
        self._waits, self._fails = waits, fails

    def __call__(self, jobs: list[ProfileKey], before: MachineProfile | None, tell: Any, *, quick: bool) -> MachineProfile:
        assert quick
        (job,) = jobs
        self.jobs.append(job)
        tell(job, 12, 30)
        if self._fails:
            raise RunError(self._fails)
        while self._waits:
            time.sleep(0.002)
            try:
                tell(job, 12, 30)
            except Cancelled:
                self.ended.set()
                raise
        return (before or replace(machine_profile(), entries=())).with_entry(entry(job.backend, job.threads, job.dtype))
