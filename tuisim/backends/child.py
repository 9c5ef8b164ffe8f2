"""Running another program for its answer, with limits on its time and on the bytes that are read.

It does not know what the answer means.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import IO

MAX_BYTES = 1 << 16
"""The most of an answer that is read; a right one has a few hundred."""
_DYING_SECONDS = 2.0
"""Time for a killed process to end; one that waits inside a driver does not, and is left alone."""
_LAST_SECONDS = 0.5
"""Time to read what an ended process has written: another process may keep its output open."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The output of a program, and its end."""

    text: str
    """At most MAX_BYTES, like `errors`."""
    errors: str
    """Its stderr; empty if that was not read."""
    code: int | None
    """None if it was killed here; minus the number of the signal that ended it, if one did."""
    flooded: bool = False
    """It was killed because it wrote more than MAX_BYTES."""

    @property
    def hung(self) -> bool:
        """True if it was killed because it took too long."""
        return self.code is None and not self.flooded


def ask(command: Sequence[str], seconds: float, env: Mapping[str, str] | None = None, *, stderr: bool = False) -> Answer:
    """Run `command` for at most `seconds` and return what it wrote. Raises OSError or ValueError if it cannot be started."""
    process = subprocess.Popen(  # noqa: S603
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr else subprocess.DEVNULL,
        env=None if env is None else dict(env),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    flooded = Event()
    try:
        listeners = [_Listener(stream, process, flooded) for stream in (process.stdout, process.stderr) if stream is not None]
        code = _wait(process, seconds)
        until = monotonic() + _LAST_SECONDS
        for listener in listeners:
            listener.join(max(0.0, until - monotonic()))
    except BaseException as error:
        _kill(process)
        if isinstance(error, RuntimeError):  # which Python raises where there are too many threads
            raise OSError("no thread can be started") from None
        raise
    text, errors = (*(bytes(one.heard[:MAX_BYTES]).decode(errors="replace") for one in listeners), "")[:2]
    return Answer(text, errors, None if flooded.is_set() else code, flooded.is_set())


class _Listener(Thread):
    """Reads one output until its end, or until there is too much of it, which ends the process."""

    def __init__(self, stream: IO[bytes], process: subprocess.Popen[bytes], flooded: Event) -> None:
        super().__init__(name="listener", daemon=True)
        self.heard = bytearray()
        self._stream, self._process, self._flooded = stream, process, flooded
        self.start()

    def run(self) -> None:
        with self._stream:
            while len(self.heard) <= MAX_BYTES:
                if not (piece := os.read(self._stream.fileno(), MAX_BYTES)):
                    return
                self.heard += piece
            self._flooded.set()
            self._process.kill()


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit code; None where it took longer and was ended."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        _kill(process)
        return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    try:
        process.wait(_DYING_SECONDS)
    except subprocess.TimeoutExpired:
        process.returncode = -signal.SIGTERM  # nobody waits for it any longer
