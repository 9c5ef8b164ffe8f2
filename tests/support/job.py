"""A page in the smallest app, over jobs that have come as far as a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from textual.pilot import Pilot

from tests.support.shell import Shell
from tuisim.engine.job import Failure, Job
from tuisim.tui.job_page import JobPage

AnyPage = TypeVar("AnyPage", bound=JobPage[Any, Any])


class ScriptedJob(Job[Any, Any]):
    """A job without a thread."""

    def __init__(
        self,
        *,
        progress: Any = None,
        result: Any = None,
        failure: Exception | str = "",
        is_waiting: bool = False,
        seconds: float = 2.0,
    ) -> None:
        super().__init__("scripted", lambda job: None)
        self.progress, self.result, self.is_waiting = progress, result, is_waiting
        error = failure if isinstance(failure, Exception) else RuntimeError(failure)
        self.failure = Failure(str(error), error) if failure else None
        self.is_started = False
        self._seconds = seconds

    @property
    def is_alive(self) -> bool:
        return self.is_started and self.result is None and self.failure is None and not self.is_cancelled

    @property
    def seconds(self) -> float:
        return self._seconds

    def start(self) -> None:
        self.is_started = True


@asynccontextmanager
async def scripted_page(
    page: AnyPage, *jobs: ScriptedJob, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[tuple[AnyPage, Pilot[None]]]:
    """Show `page` in a terminal of `size`; its measurements are `jobs`, in turn, and after them new ones without progress."""
    rest = list(jobs)
    page.make_job = lambda: rest.pop(0) if rest else ScriptedJob()  # type: ignore[method-assign]
    app = Shell()
    async with app.run_test(size=size) as pilot:
        await app.push_screen(page)
        await pilot.pause()
        page.tick()
        await pilot.pause()
        yield page, pilot


def shown(page: Any) -> str:
    """Return the characters on the screen."""
    return "\n".join("".join(segment.text for segment in strip) for strip in page._compositor.render_strips())
