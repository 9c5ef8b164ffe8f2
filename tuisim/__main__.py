"""Where the program starts: a command goes to the command line, none to the app."""

from __future__ import annotations

import sys


def main() -> int:
    """Run what the arguments ask for; the exit code."""
    arguments = sys.argv[1:]
    if arguments:
        from tuisim.cli import main as command_line

        return command_line(arguments)
    from tuisim.tui import run_app

    return run_app()


if __name__ == "__main__":
    sys.exit(main())
