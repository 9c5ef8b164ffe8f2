"""The errors of tuisim, each with a readable message and an exit code.

The command line and the screens show them. A message names the field or file, the value and the remedy, and has no traceback.
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
    """The exit code of a command."""

    DONE = 0
    CHECK_FAILED = 1
    """A proof, a score or a gate failed."""
    BAD_CONFIGURATION = 2
    NO_BACKEND = 3
    """The backend is unknown or cannot work here."""
    BAD_DATA = 4
    """The data cannot be read, or do not fit the network."""
    RUN_FAILED = 5
    """The run diverged or ran out of memory."""
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class TuisimError(Exception):
    """An error for a person: `str(error)` is one printable line, or several for several mistakes."""

    exit_code = ExitCode.RUN_FAILED


MAX_MISTAKES = 20


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong field of a configuration: its name, its value and the remedy."""

    field: str
    value: object
    remedy: str

    def __str__(self) -> str:
        if self.value is None:
            return f"{printable(self.field)}: {self.remedy}"
        return f"{printable(self.field)} = {printable(self.value) or repr('')}: {self.remedy}"


class ConfigError(TuisimError):
    """An invalid configuration, with every mistake, not only the first."""

    exit_code = ExitCode.BAD_CONFIGURATION

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        lines = [str(mistake) for mistake in self.mistakes[:MAX_MISTAKES]]
        if len(self.mistakes) > MAX_MISTAKES:
            lines.append(f"and {len(self.mistakes) - MAX_MISTAKES:,} more")
        super().__init__("\n".join(lines))


class BackendError(TuisimError):
    """A backend that is unknown or cannot work on this machine."""

    exit_code = ExitCode.NO_BACKEND


class DataError(TuisimError):
    """Data that are missing, broken, or do not fit the network."""

    exit_code = ExitCode.BAD_DATA


class RunError(TuisimError):
    """A run that cannot start or continue."""


class ClockError(RunError):
    """A clock too coarse for the time to be measured."""

    def __init__(self) -> None:
        super().__init__("this machine's clock is too coarse, or does not advance: so short a time cannot be measured")


class DeviceLost(RunError):
    """A device that this process can no longer use; a new process may."""


class MemoryNeeded(RunError):
    """A network or volume of data too large for the memory of this machine or its GPU."""

    def __init__(self, message: str, free: int | None = None) -> None:
        super().__init__(message)
        self.free = free
        """Free bytes, from which what would fit can be found; None if the message says it."""


OUT_OF_MEMORY = "out of memory: a smaller network, batch or volume would fit"
_CLASS = re.compile(r"<class '[^']*'>|\b(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Warning)\b(?:: )?")
_INTERNAL = re.compile(r"Traceback|NoneType|object at 0x")


def in_words(error: BaseException) -> str:
    """Describe an error to a person: tuisim's own as written, the system's with the file's name, any other by its first line.

    No Python class is named.
    """
    if isinstance(error, TuisimError):
        return str(error)
    if isinstance(error, MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, OSError) and error.strerror:
        return (f"{printable(error.filename, 200)}: " if error.filename is not None else "") + printable(error.strerror, 100)
    # the message of a KeyError is only the key
    return ("" if isinstance(error, KeyError) else said(str(error))) or "it failed without a message"


def fault(error: BaseException) -> str:
    """Describe an error as `in_words` does, and say if it was unexpected."""
    expected = isinstance(error, TuisimError | MemoryError | OSError | ImportError)
    return in_words(error) if expected else f"an unexpected fault: {in_words(error)}"


def said(text: str, limit: int = 300) -> str:
    """Return the first line of a library's message that has words, without class names; empty if there is none."""
    lines = (_CLASS.sub("", line).strip(" =-\t\r") for line in text.splitlines())
    first = next(filter(None, lines), "")
    return "" if _INTERNAL.search(first) else printable(first, limit)


def debugging() -> bool:
    """Return True if tracebacks are to be shown (TUISIM_DEBUG)."""
    return os.environ.get("TUISIM_DEBUG", "") not in ("", "0")


def visible(text: str, kept: str = "") -> str:
    """Return `text` with every unprintable character escaped, except those `kept`.

    All text passes here before it reaches a terminal: file names, variables, cells and device names may hold control codes.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


def printable(value: object, limit: int = 60) -> str:
    """Return `value` in at most `limit` characters, without control codes."""
    text = visible(value if isinstance(value, str) else _written(value, 0))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _written(value: object, depth: int) -> str:
    """Write a value that is not a text as a file or a script does: a date as a date, any other object by its type."""
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
    except ValueError:  # Python does not write an integer of several thousand digits
        return "a number of thousands of digits"


def nearest(name: str, names: Sequence[str]) -> str:
    """Return a remedy for an unknown `name`: the closest right name, then all of them."""
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    choices = "one of " + ", ".join(names)
    return f"unknown; did you mean {close[0]}? ({choices})" if close else f"unknown; {choices}"
