"""Where the program starts: a command goes to the command line, none to the app."""

from __future__ import annotations

import io
import signal
import sys

from tuisim import threads
from tuisim.config import usable_cores


def main() -> int:
    """Run what the arguments ask for; the exit code."""
    # Until somebody takes it over, Ctrl-C ends the program as it ends any other, without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        # A console or file that cannot hold ′ or · gets a question mark, not an error.
        if isinstance(stream, io.TextIOWrapper):  # not None, which a closed one is
            stream.reconfigure(errors="replace")
    note = threads.fit_blas(usable_cores())
    if arguments:
        if note and sys.stderr is not None:
            print(f"tuisim: {note}", file=sys.stderr)
        from tuisim.cli import main as command_line

        return command_line(arguments)
    from tuisim.tui import run_app

    return run_app()


if __name__ == "__main__":
    sys.exit(main())
