"""The stages of the start of a run, with their times and their progress: written by the thread that works, read by any other.

Code deep inside a stage calls `report`, which finds the stage of its own thread and does nothing outside any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from time import perf_counter

from tuisim import units


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage at a moment."""

    name: str
    seconds: float
    """The time spent in it so far."""
    is_done: bool
    done: int = 0
    """Units that are done."""
    total: int | None = None
    """All units; None if their number is not known."""
    unit: str = ""
    """What is counted, such as `rows` or `B`; empty if nothing is."""

    @property
    def progress(self) -> str:
        """The progress in words: `21 of 53 kernels`, or `64 % of 18.3 MiB`; empty if it is not known."""
        if not self.total:
            return ""
        if self.unit == "B":
            return f"{units.percent(self.done / self.total, 0)} of {units.size(self.total)}"
        return f"{self.done:,} of {self.total:,} {self.unit}"


class Stages:
    """The stages so far, oldest first; one that is entered again goes on."""

    def __init__(self, clock: Callable[[], float] = perf_counter, check: Callable[[], object] = lambda: None) -> None:
        """`check` is called at every report, on the thread that works; what it raises ends the work."""
        self._clock, self._check = clock, check
        self._stages: tuple[Stage, ...] = ()  # replaced as a whole, so that another thread never sees it half changed
        self._entered: float | None = None

    def now(self) -> tuple[Stage, ...]:
        """Return the stages at this moment; may be called from any thread."""
        stages, entered = self._stages, self._entered
        return tuple(
            one if one.is_done or entered is None else replace(one, seconds=one.seconds + self._clock() - entered)
            for one in stages
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Be in the stage `name` for the `with` block, and take what the thread reports."""
        before = next((one for one in self._stages if one.name == name), Stage(name, 0.0, is_done=False))
        self._entered = self._clock()
        self._put(replace(before, is_done=False))
        token = _current.set((self, name))
        try:
            yield
        finally:
            _current.reset(token)
            stage = next(one for one in self._stages if one.name == name)
            self._put(replace(stage, seconds=before.seconds + self._clock() - self._entered, is_done=True))
            self._entered = None

    def report(self, name: str, done: int, total: int | None, unit: str) -> None:
        """Set the progress of a stage. Raises what `check` raises."""
        self._check()
        stage = next(one for one in self._stages if one.name == name)
        self._put(replace(stage, done=done, total=total, unit=unit))

    def _put(self, stage: Stage) -> None:
        if any(one.name == stage.name for one in self._stages):
            self._stages = tuple(stage if one.name == stage.name else one for one in self._stages)
        else:
            self._stages = (*self._stages, stage)


_current: ContextVar[tuple[Stages, str] | None] = ContextVar("stage", default=None)


def report(done: int, total: int | None, unit: str) -> None:
    """Set the progress of the stage in which this thread is, if it is in one."""
    current = _current.get()
    if current is not None:
        stages, name = current
        stages.report(name, done, total, unit)
