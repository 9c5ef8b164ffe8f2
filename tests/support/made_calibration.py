"""A calibration in place of the real one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.support.made_machine_profile import entry, machine_profile
from tuisim.errors import RunError
from tuisim.predict.calibrate import ProfileKey, Unwanted
from tuisim.predict.profile import MachineProfile


class Calibration:
    """Adds an entry made by hand, or waits until it is not wanted."""

    def __init__(self, waits: bool = False, fails: str = "") -> None:
        self.jobs: list[ProfileKey] = []
        self.ended = threading.Event()
        self._waits, self._fails = waits, fails

    def __call__(
        self, jobs: list[ProfileKey], before: MachineProfile | None, tell: Any, *, quick: bool, wanted: Callable[[], bool]
    ) -> MachineProfile:
        assert quick
        (job,) = jobs
        self.jobs.append(job)
        tell(job, 12, 30)
        if self._fails:
            raise RunError(self._fails)
        while self._waits:
            if not wanted():
                self.ended.set()
                raise Unwanted("asked to stop")
            time.sleep(0.002)
        return (before or replace(machine_profile(), entries=())).with_entry(entry(job.backend, job.threads, job.dtype))
