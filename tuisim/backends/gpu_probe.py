"""Whether CuPy works here, asked of a process of its own with a time limit.

A driver that is missing, hangs or crashes harms that process alone. What its facts mean is not said here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

LIMIT_SECONDS = 30.0
"""The first use of a GPU may take some seconds: the driver wakes it and a kernel is compiled."""
MOST_BYTES = 1 << 16
"""Of the answer that is read; a right one has a few hundred."""
_DYING_SECONDS = 2.0
"""A process that waits inside a driver cannot be killed; it is then left alone."""

Facts = Mapping[str, Any]
"""What the process told, and of its end: `hung` (seconds), `signal` (its name), `code` or `unstarted` (why)."""


@cache
def facts() -> Facts:
    """What was found out, once per process."""
    return ask()


def ask(command: Sequence[str] | None = None, limit: float = LIMIT_SECONDS) -> Facts:
    """Run the child, or another `command`, for at most `limit` seconds; never raises for what it does."""
    try:
        # A file, not a pipe: nothing that is written to it, and nobody who keeps it open, can hold us up.
        with TemporaryFile() as answers:
            process = subprocess.Popen(  # noqa: S603
                _child() if command is None else list(command),
                stdin=subprocess.DEVNULL,
                stdout=answers,
                stderr=subprocess.DEVNULL,
                # Compiled in memory: a kernel in somebody's cache would not show that compiling works.
                env=os.environ | {"CUPY_CACHE_IN_MEMORY": "1"},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            ended = _wait(process, limit)
            answers.seek(0)
            text = answers.read(MOST_BYTES).decode(errors="replace")
    except (OSError, ValueError) as error:
        return {"stage": "start", "unstarted": str(error)}
    found: dict[str, Any] = {"stage": "start"}
    for line in text.splitlines():
        found |= _told(line)
    return found | ended


def _child() -> list[str]:
    # Its text, not its file: the folder of a script is searched for modules first, and there is one called `numpy`.
    source = Path(__file__).with_name("gpu_child.py").read_text(encoding="utf-8")
    return [sys.executable or "python", "-P", "-c", source]


def _wait(process: subprocess.Popen[bytes], limit: float) -> dict[str, Any]:
    """How it ended."""
    try:
        code = process.wait(limit)
    except subprocess.TimeoutExpired:
        _kill(process)
        return {"hung": limit}
    except BaseException:
        _kill(process)
        raise
    if code >= 0:
        return {"code": code}
    try:
        return {"signal": signal.Signals(-code).name}
    except ValueError:
        return {"signal": f"signal {-code}"}


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    try:
        process.wait(_DYING_SECONDS)
    except subprocess.TimeoutExpired:
        process.returncode = -signal.SIGTERM  # nobody waits for it any longer


def _told(line: str) -> dict[str, Any]:
    """A line's facts; none where it is something else that a library printed."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return {name: value for name, value in told.items() if _fact(name, value)} if isinstance(told, dict) else {}


def _fact(name: str, value: Any) -> bool:
    """Whether it is of the kind that the child tells: packages as a list of words, everything else as one plain value."""
    if name == "packages":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, str | int | float | None)
