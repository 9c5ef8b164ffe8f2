"""The commands by name, and how what they say becomes an exit code.

A person's mistake is one line on stderr; a traceback is shown only to whoever sets TUISIM_DEBUG.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial

from cyclopts import App, CycloptsError

from tuisim import __version__
from tuisim.cli.console import CommandConsole, note
from tuisim.errors import OUT_OF_MEMORY, ExitCode, TuisimError, debugging, fault, in_words, printable
from tuisim.features import COMMANDS

app = App(
    name="tuisim",
    version=__version__,
    help="What does it cost to train a neural network, and where does the time go? Without a command: the terminal app.",
    console=CommandConsole(),
)
# By name, so that a command pays for its own imports alone.
for _command in COMMANDS:
    app.command(_command.function, name=_command.name, group=_command.group, help=_command.help)


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code for the shell."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us: nobody wants to hear
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    return answered(partial(app, list(arguments), exit_on_error=False, print_error=False, result_action="return_value"))


def answered(command: Callable[[], object]) -> int:
    """The exit code of a command, whatever it raises said in lines on stderr."""
    try:
        code = command()
        sys.stdout.flush()
    except CycloptsError as error:
        return _say(" ".join(str(error).split()), ExitCode.BAD_CONFIGURATION)
    except TuisimError as error:
        return _say(str(error), error.exit_code)
    except BrokenPipeError:
        # Whoever read stdout has left; there is nobody to tell.
        _give_up_stdout()
        return ExitCode.DONE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except MemoryError:
        return _say(OUT_OF_MEMORY, ExitCode.RUN_FAILED)
    except OSError as error:
        _give_up_stdout()
        return _say(f"cannot go on: {in_words(error)}", ExitCode.RUN_FAILED)
    except Exception as error:
        if debugging():
            raise
        return _say(f"{fault(error)} (TUISIM_DEBUG=1 shows where)", ExitCode.RUN_FAILED)
    return code if isinstance(code, int) else ExitCode.DONE


def _give_up_stdout() -> None:
    """What could not be written must not be tried again when the program ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, code: int) -> int:
    """One line on stderr for each of the message's; a stderr that cannot be written leaves the exit code to speak."""
    with contextlib.suppress(OSError):
        for line in message.splitlines() or [""]:
            note(printable(line, 1_000))
        sys.stderr.flush()
    return int(code)
