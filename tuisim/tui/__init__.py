"""The shell of the terminal app: navigation, widgets and themes; the pages are in `features`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tuisim import threads
from tuisim.errors import ExitCode

if TYPE_CHECKING:
    from tuisim.config import RunConfig

# Textual reads its repaint rate once, when first imported; 20 a second is twice what the live view draws at, and a third
# of what it would spend at its own 60.
os.environ.setdefault("TEXTUAL_FPS", "20")

THREADS = 10
"""Threads that the app may have at once: Textual's reader and writer, one for signals, one that sets BLAS's threads, a run, a
measurement beside it, readers of files."""
JOIN_SECONDS = 1.0
"""Seconds to wait for a run to end after the app; its thread is a daemon and ends with the process."""


def run_app(config: RunConfig | None = None) -> int:
    """Run the app on this terminal, its form filled from `config`; the exit code."""
    if not (sys.__stdin__ and sys.__stdin__.isatty() and sys.__stdout__ and sys.__stdout__.isatty()):
        print("tuisim needs a terminal; use `tuisim run` or `tuisim count` without one", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    if (started := threads.startable(THREADS)) < THREADS:
        needs = f"the app needs {THREADS} threads and the system lets it start {started}"
        print(f"tuisim: {needs}: raise the limit of processes (ulimit -u), or use `tuisim run`", file=sys.stderr)
        return ExitCode.RUN_FAILED
    from tuisim.tui import environment

    if wrong := environment.mistakes():
        print(*(f"tuisim: {mistake}" for mistake in wrong), sep="\n", file=sys.stderr)
        return ExitCode.BAD_CONFIGURATION
    from tuisim.tui.signals import Signals

    with Signals() as signals:
        from tuisim.predict.background import BackgroundPredictor
        from tuisim.tui import restart
        from tuisim.tui.app import TuisimApp
        from tuisim.tui.failure import failure_line
        from tuisim.tui.session import Session

        session = Session()
        first = config or restart.passed_config() or session.config
        app = TuisimApp(first, predictor=BackgroundPredictor, signals=signals, session=session)
        signals.ask = app.leave_soon
        app.run()
    app.save_session()
    for one in (app.worker, app.keeping):
        if one is not None:
            one.join(JOIN_SECONDS)
    if app.return_code is None or app.failure is not None:
        print(failure_line(app.failure), file=sys.stderr)
        return ExitCode.RUN_FAILED
    return restart.start(app.running) if app.restart_asked else app.return_code
