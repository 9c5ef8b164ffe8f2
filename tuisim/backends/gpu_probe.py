"""Whether CuPy works here, asked of a process of its own with a time limit.

A driver that is missing, hangs or crashes harms that process alone. What its facts mean is not said here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tuisim.backends import child

LIMIT_SECONDS = 30.0
"""The first use of a GPU may take some seconds: the driver wakes it and a kernel is compiled."""

Facts = Mapping[str, Any]
"""The facts that the process told, and its end: `hung` (seconds), `flooded`, `signal` (name), `code` or `unstarted` (reason)."""


@cache
def facts() -> Facts:
    """What was found out, once per process."""
    return ask()


def ask(command: Sequence[str] | None = None, limit: float = LIMIT_SECONDS) -> Facts:
    """Run the child, or another `command`, for at most `limit` seconds; never raises for what it does."""
    try:
        # Compiled in memory: a kernel in somebody's cache would not show that compiling works.
        answer = child.ask(_child() if command is None else command, limit, os.environ | {"CUPY_CACHE_IN_MEMORY": "1"})
    except (OSError, ValueError) as error:
        return {"stage": "start", "unstarted": str(error)}
    found: dict[str, Any] = {"stage": "start"}
    for line in answer.text.splitlines():
        found |= _told(line)
    return found | _ended(answer, limit)


def _child() -> list[str]:
    # Its text, not its file: the folder of a script is searched for modules first, and there is one called `numpy`.
    source = Path(__file__).with_name("gpu_child.py").read_text(encoding="utf-8")
    return [sys.executable or "python", "-P", "-c", source]


def _ended(answer: child.Answer, limit: float) -> dict[str, Any]:
    """How it ended."""
    if answer.flooded:
        return {"flooded": True}
    if answer.code is None:
        return {"hung": limit}
    if answer.code >= 0:
        return {"code": answer.code}
    try:
        return {"signal": signal.Signals(-answer.code).name}
    except ValueError:
        return {"signal": f"signal {-answer.code}"}


def _told(line: str) -> dict[str, Any]:
    """A line's facts; none where it is something else that a library printed."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return {name: value for name, value in told.items() if _fact(name, value)} if isinstance(told, dict) else {}


def _fact(name: str, value: Any) -> bool:
    """Whether it is of the kind that the child tells: packages as a list of words, everything else as one plain value."""
    if name == "packages":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return isinstance(value, str | int | float | None)
