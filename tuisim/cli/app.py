"""The commands by name, and how what they say becomes an exit code.

A person's mistake is one line on stderr; a traceback is shown only to whoever sets TUISIM_DEBUG.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError
from rich.console import Console

from tuisim import __version__
from tuisim.errors import ExitCode, TuisimError

app = App(
    name="tuisim",
    version=__version__,
    help="What does it cost to train a neural network, and where does the time go? Without a command: the terminal app.",
)
# By name, so that a command pays for its own imports alone.
for _command in ("run", "count", "bench"):
    app.command(f"tuisim.cli.{_command}:{_command}", name=_command)


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code for the shell."""
    try:
        code = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        return _say(" ".join(str(error).split()), ExitCode.BAD_CONFIGURATION)
    except TuisimError as error:
        return _say(str(error), error.exit_code)
    except BrokenPipeError:
        # Whoever read stdout has left; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except MemoryError:
        return _say("out of memory: a smaller network, batch or volume would fit", ExitCode.RUN_FAILED)
    except Exception as error:
        if os.environ.get("TUISIM_DEBUG"):
            raise
        return _say(f"{type(error).__name__}: {error} (set TUISIM_DEBUG=1 for the traceback)", ExitCode.RUN_FAILED)
    return code if isinstance(code, int) else ExitCode.DONE


def _say(message: str, code: int) -> int:
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    for line in message.splitlines() or [""]:
        console.print(f"tuisim: {line}")
    return int(code)
