"""Where the program starts: a command goes to the command line, none to the app."""

from __future__ import annotations

import io
import signal
import sys
import warnings
from typing import Any

from tuisim import threads
from tuisim.errors import ExitCode, debugging, fault, said
from tuisim.threads import usable_cores


def main() -> int:
    """Run what the arguments ask for; the exit code."""
    # Until somebody takes it over, Ctrl-C ends the program as it ends any other, without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        # A console or file that cannot hold ′ or · gets a question mark, not an error.
        if isinstance(stream, io.TextIOWrapper):  # not None, which a closed one is
            stream.reconfigure(errors="replace")
    if not debugging():
        warnings.showwarning = _warned
    try:
        return _run(sys.argv[1:])
    except Exception as error:  # such as a library that cannot be imported
        if debugging():
            raise
        print(f"tuisim: {fault(error)} (TUISIM_DEBUG=1 shows where)", file=sys.stderr)
        return ExitCode.RUN_FAILED


def _run(arguments: list[str]) -> int:
    note = threads.fit_blas(usable_cores())
    if arguments:
        if note and sys.stderr is not None:
            print(f"tuisim: {note}", file=sys.stderr)
        from tuisim.cli import main as command_line

        return command_line(arguments)
    from tuisim.tui import run_app

    return run_app()


def _warned(message: Warning | str, *_: Any, **__: Any) -> None:
    """A library's warning, in one line."""
    if sys.stderr is not None and (line := said(str(message))):
        print(f"tuisim: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
