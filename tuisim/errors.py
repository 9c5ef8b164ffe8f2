"""The ways tuisim can refuse or fail, each one readable line and an exit code.

Errors are raised where they are understood and shown at the two edges, the command line and the screen. A message names
the field or file, the value and the remedy; it never carries a traceback.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell is told."""

    DONE = 0
    CHECK_FAILED = 1
    """A proof or a score failed."""
    BAD_CONFIGURATION = 2
    """Bad configuration or usage."""
    NO_BACKEND = 3
    """The backend asked for is unknown here or cannot work here."""
    BAD_DATA = 4
    """Data that cannot be read, or that does not fit the network."""
    RUN_FAILED = 5
    """The run diverged or ran out of memory."""
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class TuisimError(Exception):
    """Anything tuisim says no to. `str(error)` is one printable line (several for several mistakes)."""

    exit_code = ExitCode.RUN_FAILED


MOST_MISTAKES = 20
"""Lines a configuration's mistakes may fill."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong field of a configuration: what it is, what was given, and what would be right."""

    field: str
    value: object
    remedy: str

    def __str__(self) -> str:
        if self.value is None:
            return f"{printable(self.field)}: {self.remedy}"
        return f"{printable(self.field)} = {printable(self.value) or repr('')}: {self.remedy}"


class ConfigError(TuisimError):
    """A configuration that cannot be; carries every mistake found, not only the first."""

    exit_code = ExitCode.BAD_CONFIGURATION

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = [str(mistake) for mistake in self.mistakes[:MOST_MISTAKES]]
        if len(self.mistakes) > MOST_MISTAKES:
            lines.append(f"and {len(self.mistakes) - MOST_MISTAKES:,} more")
        super().__init__("\n".join(lines))


class BackendError(TuisimError):
    """A backend that is unknown or cannot work on this machine."""

    exit_code = ExitCode.NO_BACKEND


class DataError(TuisimError):
    """Data that is missing, broken, or does not fit the network."""

    exit_code = ExitCode.BAD_DATA


class RunError(TuisimError):
    """A run that cannot start or go on."""


class ClockError(RunError):
    """The machine's clock tells nothing of so short a time."""

    def __init__(self) -> None:
        super().__init__("this machine's clock stands still, goes back or ticks too seldom: nothing so short can be timed")


class DeviceLost(RunError):
    """A device that this process can no longer use, whatever it does; a new process may."""


class MemoryNeeded(RunError):
    """A network or volume of data that the memory cannot hold, this machine's or its GPU's."""

    def __init__(self, message: str, free: int | None = None) -> None:
        super().__init__(message)
        self.free = free
        """Bytes there are, for whoever can say what would fit; none where the message has said it."""


OUT_OF_MEMORY = "out of memory: a smaller network, batch or volume would fit"
_CLASS = re.compile(r"<class '[^']*'>|\b(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Warning)\b(?:: )?")
_INTERNAL = re.compile(r"Traceback|NoneType|object at 0x")


def in_words(error: BaseException) -> str:
    """Describe an error to a person: ours as written, the system's with the file's name, any other by its first line.

    No class of Python's is named; the traceback is shown where `debugging()`.
    """
    if isinstance(error, TuisimError):
        return str(error)
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.strerror:
        return (f"{printable(error.filename, 200)}: " if error.filename is not None else "") + printable(error.strerror, 100)
    # A key alone says nothing.
    return ("" if isinstance(error, KeyError) else said(str(error))) or "it failed without saying why"


def fault(error: BaseException) -> str:
    """The same of what nobody expected, for whoever can say no more of it."""
    expected = isinstance(error, TuisimError | MemoryError | OSError | ImportError)
    return in_words(error) if expected else f"an unexpected fault: {in_words(error)}"


def said(text: str, limit: int = 300) -> str:
    """The first line of a library's message that has words, without the names of classes; empty where there is none."""
    lines = (_CLASS.sub("", line).strip(" =-\t\r") for line in text.splitlines())
    first = next(filter(None, lines), "")
    return "" if _INTERNAL.search(first) else printable(first, limit)


def debugging() -> bool:
    """Tell if tracebacks are asked for (TUISIM_DEBUG)."""
    return os.environ.get("TUISIM_DEBUG", "") not in ("", "0")


def visible(text: str, kept: str = "") -> str:
    """`text` with the escape of each character that is not printable, except those `kept`: all text passes here on its way to a
    terminal, which file names, variables, cells and device names could otherwise steer."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


def printable(value: object, limit: int = 60) -> str:
    """`value` as at most `limit` visible characters, so that no file name or cell can send control codes to a terminal."""
    text = visible(value if isinstance(value, str) else _written(value, 0))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _written(value: object, depth: int) -> str:
    """A value that is no text as a file or a script has it: a date as a date, what has no such form by its kind."""
    if isinstance(value, list | tuple | dict) and depth > 2:
        return "…"
    if isinstance(value, list | tuple):
        inside = ", ".join(_written(one, depth + 1) for one in value[:60])
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, dict):
        inside = ", ".join(f"{key}: {_written(one, depth + 1)}" for key, one in list(value.items())[:60])
        return "{" + inside + "}"
    if isinstance(value, date | time):
        return str(value)
    try:
        return repr(value) if isinstance(value, str | bytes | int | float | complex | None) else type(value).__name__
    except ValueError:  # Python writes no integer of more than some thousand digits
        return "a number of thousands of digits"


def nearest(name: str, names: Sequence[str]) -> str:
    """A remedy for an unknown `name`: the closest right one first, then all of them."""
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    choices = "one of " + ", ".join(names)
    return f"unknown; did you mean {close[0]}? ({choices})" if close else f"unknown; {choices}"
