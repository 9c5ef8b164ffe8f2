"""The program's entry point: a command runs the command line; without one the app starts."""

from __future__ import annotations

import io
import signal
import sys
import warnings
from typing import Any

from tuisim import threads
from tuisim.errors import ExitCode, debugging, fault, said
from tuisim.features import APP, COMMANDS
from tuisim.store.log import record_words, start_logging


def main() -> int:
    """Run a command or the app, and return the exit code."""
    # Until a command or the app handles it, Ctrl-C ends the program at once, without a message.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        # A console or file that cannot encode ′ or · gets a question mark, not an error.
        if isinstance(stream, io.TextIOWrapper):  # a closed one is None
            stream.reconfigure(errors="replace")
    if not debugging():
        warnings.showwarning = _warned
    try:
        return _run(sys.argv[1:])
    except Exception as error:  # such as a library that cannot be imported
        if debugging():
            raise
        print(f"tuisim: {fault(error)} ({record_words(error)})", file=sys.stderr)
        return ExitCode.RUN_FAILED


def _run(arguments: list[str]) -> int:
    start_logging()
    if _describes_run(arguments):
        arguments = [APP.name, *arguments]
    command = next((one for one in (*COMMANDS, APP) if arguments[:1] == [one.name]), None)
    imports_numpy = not arguments or (command is not None and command.uses_numpy)
    note = threads.fit_blas(threads.usable_cores()) if imports_numpy else ""
    if arguments:
        if note and sys.stderr is not None:
            print(f"tuisim: {note}", file=sys.stderr)
        from tuisim.cli import main as command_line

        return command_line(arguments)
    from tuisim.tui import run_app

    return run_app()


def _describes_run(arguments: list[str]) -> bool:
    """Return True if the arguments begin with layers or an option of a run, with which the app opens."""
    first = arguments[0] if arguments else ""
    if first.startswith("-"):
        return first not in ("--help", "-h", "--version")
    return first[:1].isdigit() or first == "auto" or first.startswith("auto-")


def _warned(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a library's warning in one line."""
    if sys.stderr is not None and (line := said(str(message))):
        print(f"tuisim: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
