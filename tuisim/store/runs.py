"""What past runs took: one line of JSON for each, in a file that only grows until its older half is dropped.

It does not know what is made of them. The newer lines are in `runs.jsonl`, those before them in `runs.older.jsonl`.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuisim import files
from tuisim.store import lock
from tuisim.store.document import contents, parsed, writing
from tuisim.store.folder import folder, needed
from tuisim.units import MAX_COUNT

VERSION = 1
FILE, OLDER, LOCK = "runs.jsonl", "runs.older.jsonl", "runs.lock"
HALF = 2**19
"""Bytes of the newer file that make it the older one; both together stay within twice that, a line more or less."""
MOST_READ = 8 * HALF
"""Bytes of either file that are looked at, whoever wrote them."""
MOST_TEXT = 200
MAX_LINE = 2**14
"""Bytes of a line that may be a run; one of as many layers as there may be is a tenth of it."""

TRIES = 3
"""To read both halves of what is kept while nobody moves the one to the other's place."""
LEAST_SECONDS = 1e-9
"""Of anything a run took; no clock tells less."""
Seconds = tuple[float, float, float]
"""Low, likely, high."""


@dataclass(frozen=True, slots=True)
class Run:
    """One past run. Times are in seconds; all numbers are above 0."""

    when: str
    """ISO 8601, with its offset from UTC."""
    machine: str
    """A short name that stays the same while the machine does."""
    backend: str
    threads: int
    layers: tuple[int, ...]
    batch: int
    dtype: str
    optimizer: str
    loss: str
    steps: int
    examples: int
    """Trained on, each as often as it was."""
    operations_per_step: int
    bytes_per_step: int
    seconds: float
    """Sum of the step's phases over all steps."""
    wall_seconds: float
    predicted_seconds: Seconds | None
    predicted_wall_seconds: Seconds | None
    ended: str

    @property
    def name(self) -> str:
        """The backend by its threads: `numpy@1`."""
        return f"{self.backend}@{self.threads}"

    @property
    def seconds_per_step(self) -> float:
        return self.seconds / self.steps


@dataclass(frozen=True, slots=True)
class Kept:
    """The runs that are kept, oldest first, and how many lines were no run that this version knows."""

    runs: tuple[Run, ...] = ()
    skipped: int = 0


def append(run: Run) -> None:
    """Keep `run`, in one write that no other process's can fall into.

    Raises Unwritable where the folder cannot be written to, ValueError for a run with a value that is not allowed.
    """
    line = json.dumps({"version": VERSION, **asdict(run)}, separators=(",", ":"), allow_nan=False) + "\n"
    _run(json.loads(line))
    into = needed()
    path = into / FILE
    with writing(into / LOCK), lock.held(into / LOCK) as alone, writing(path):
        if _add(path, line.encode()) > HALF and alone:
            # Whoever has it open by now goes on writing to it, and it is read under its new name.
            os.replace(path, into / OLDER)


def runs(machine: str | None = None) -> Kept:
    """Every run that is kept, or those of one machine; broken lines are left out and counted. Raises Unreadable."""
    where = folder()
    if where is None:
        return Kept()
    for _ in range(TRIES):
        before = _stamp(where / OLDER)
        parts = [_kept(where / name) for name in (OLDER, FILE)]
        if _stamp(where / OLDER) == before:  # else the newer half has become the older one meanwhile
            break
    found = tuple(run for part in parts for run in part.runs if machine is None or run.machine == machine)
    return Kept(found, sum(part.skipped for part in parts))


def _add(path: Path, line: bytes) -> int:
    """Append the line and return how many bytes there are now."""
    file = files.descriptor(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.lseek(file, 0, os.SEEK_END)
        if size and os.lseek(file, -1, os.SEEK_END) >= 0 and os.read(file, 1) != b"\n":
            # What a full disk broke off must not take this line with it.
            line = b"\n" + line
        written = os.write(file, line)
    finally:
        os.close(file)
    if written < len(line):
        raise OSError(f"only {written} of {len(line)} bytes could be written")
    return size + written


# ── reading ──


def _kept(path: Path) -> Kept:
    """The runs of one file, read again only where it has changed."""
    stamp = _stamp(path)
    return Kept() if stamp is None else _parsed(path, stamp)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file does; none where there is none. Raises Unreadable."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        contents(path, 1)  # which says what is wrong
        raise
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4)
def _parsed(path: Path, _: tuple[int, int, int]) -> Kept:
    found: list[Run] = []
    skipped = 0
    for line in contents(path, MOST_READ).split(b"\n"):
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            skipped += 1
            continue
        try:
            found.append(_run(parsed(line.decode("utf-8"))))
        except (ValueError, RecursionError):
            skipped += 1
    return Kept(tuple(found), skipped)


_TEXTS = ("when", "machine", "backend", "dtype", "optimizer", "loss", "ended")
_COUNTS = ("threads", "batch", "steps", "examples", "operations_per_step", "bytes_per_step")
_SECONDS = ("seconds", "wall_seconds")
_BANDS = ("predicted_seconds", "predicted_wall_seconds")
_KEYS = {"version", *(one.name for one in fields(Run))}


def _run(line: Any) -> Run:
    """A line's object as a run. Raises ValueError where it is of another form or a value is not allowed."""
    if not isinstance(line, dict) or set(line) != _KEYS or type(line["version"]) is not int or line["version"] != VERSION:
        raise ValueError("not a run of this version")
    layers = line["layers"]
    if not isinstance(layers, list) or len(layers) < 2:
        raise ValueError("layers: sizes, inputs first")
    values: dict[str, Any] = {"layers": tuple(_count("layers", size) for size in layers)}
    for names, check in ((_TEXTS, _text), (_COUNTS, _count), (_SECONDS, _real), (_BANDS, _band)):
        values |= {name: check(name, line[name]) for name in names}
    return Run(**values)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MOST_TEXT:
        raise ValueError(f"{name}: a text of at most {MOST_TEXT} characters")
    if name == "when" and datetime.fromisoformat(value).tzinfo is None:
        raise ValueError("when: a time with its offset from UTC")
    return value


def _count(name: str, value: Any) -> int:
    if type(value) is not int or not 0 < value <= MAX_COUNT:
        raise ValueError(f"{name}: a whole number above 0")
    return value


def _real(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_SECONDS <= value <= MAX_COUNT:
        raise ValueError(f"{name}: seconds, a billionth or more")
    return float(value)


def _band(name: str, value: Any) -> Seconds | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"{name}: low, likely, high")
    low, likely, high = (_real(name, one) for one in value)
    if not low <= likely <= high:
        raise ValueError(f"{name}: low, likely, high")
    return low, likely, high
