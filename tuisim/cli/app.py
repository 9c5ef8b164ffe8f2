"""The command line: commands by name, and errors as lines on stderr and exit codes.

A user's mistake is one line per mistake; a traceback is shown only if TUISIM_DEBUG is set.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial

from cyclopts import App, CycloptsError, Group, UnknownOptionError

from tuisim import __version__
from tuisim.cli.console import CommandConsole, note
from tuisim.errors import OUT_OF_MEMORY, ExitCode, TuisimError, debugging, fault, in_words, printable
from tuisim.features import APP, COMMANDS
from tuisim.store.log import record_words

MISSPELLED = 0.8
"""Minimum similarity, from 0 to 1, of an unknown option to the one that it is a misspelling of."""
app = App(
    name="tuisim",
    version=__version__,
    help="What does it cost to train a neural network, and where does the time go? Without a command: the terminal app, "
    "its form filled from LAYERS and the options of `tuisim run`, if any are given.",
    console=CommandConsole(),
)
_GROUPS = {name: Group(name, sort_key=place) for place, name in enumerate({command.group: None for command in COMMANDS})}
# By the name of its function, so that a command is imported only when it is called.
for _place, _command in enumerate(COMMANDS):
    app.command(_command.function, name=_command.name, group=_GROUPS[_command.group], help=f"{_command.help}.", sort_key=_place)
app.command(APP.function, name=APP.name, help=f"{APP.help}.", show=False)
app["--help"].group = app["--version"].group = Group("Options", sort_key=len(_GROUPS))


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code for the shell."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    return answered(partial(app, list(arguments), exit_on_error=False, print_error=False, result_action="return_value"))


def answered(command: Callable[[], object]) -> int:
    """Run a command and return its exit code; an error is printed in lines on stderr."""
    try:
        code = command()
        sys.stdout.flush()
    except UnknownOptionError as error:
        return _say(_unknown_option(error), ExitCode.BAD_CONFIGURATION)
    except CycloptsError as error:
        return _say(" ".join(str(error).split()), ExitCode.BAD_CONFIGURATION)
    except TuisimError as error:
        return _say(str(error), error.exit_code)
    except BrokenPipeError:
        _give_up_stdout()  # its reader has left
        return ExitCode.DONE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except MemoryError:
        return _say(OUT_OF_MEMORY, ExitCode.RUN_FAILED)
    except OSError as error:
        _give_up_stdout()
        return _say(f"cannot continue: {in_words(error)}", ExitCode.RUN_FAILED)
    except Exception as error:
        if debugging():
            raise
        return _say(f"{fault(error)} ({record_words(error)})", ExitCode.RUN_FAILED)
    return code if isinstance(code, int) else ExitCode.DONE


def _unknown_option(error: UnknownOptionError) -> str:
    """Return which option is unknown, and the one that it is a misspelling of."""
    given = (error.token.keyword or error.token.value).partition("=")[0]
    names = [name for argument in error.argument_collection if argument.parse for name in argument.names]
    close = get_close_matches(given, names, n=1, cutoff=MISSPELLED)
    return f"unknown option {given}" + (f"; did you mean {close[0]}?" if close else "; --help lists all options")


def _give_up_stdout() -> None:
    """Discard what could not be written, so that Python does not try again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, code: int) -> int:
    """Print each line of a message on stderr, if it can be written, and return the exit code."""
    with contextlib.suppress(OSError):
        for line in message.splitlines() or [""]:
            note(printable(line, 1_000))
        sys.stderr.flush()
    return int(code)
