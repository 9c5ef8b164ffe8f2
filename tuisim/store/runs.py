"""Past runs, kept in an SQLite database of the user's data folder, the newest MAX_RUNS of them.

SQLite serializes the processes that append at once and recovers what a killed one left unfinished. A run is one row with its
machine and its JSON. The JSON-lines files of earlier versions are imported by the first `append` and renamed to `….imported`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuisim import files
from tuisim.errors import printable
from tuisim.files import display_name
from tuisim.store.document import Reader, Unreadable, Unwritable, contents, parsed
from tuisim.store.folder import create_data_folder, data_folder
from tuisim.units import MAX_COUNT

if TYPE_CHECKING:
    from sqlite3 import Connection

log = logging.getLogger(__name__)

FILE = "runs.sqlite3"
EARLIER = ("runs.older.jsonl", "runs.jsonl")
"""Files of earlier versions, oldest runs first."""
MAX_RUNS = 5_000
PATIENCE = 10.0
"""Seconds to wait for other processes that write."""
VERSION = 1
MAX_TEXT = 200
MAX_LINE = 2**14
"""Maximum characters of a run's JSON; one with the maximum number of layers has a tenth of that."""
MAX_EARLIER = 2**22
MIN_SECONDS = 1e-9
"""Minimum of any time; no clock has a finer resolution."""
Seconds = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Run:
    """One past run. Times are in seconds; all numbers are above 0."""

    when: str
    """ISO 8601, with the offset from UTC."""
    machine: str
    """The name of a machine, which stays the same while the machine does."""
    backend: str
    threads: int
    layers: tuple[int, ...]
    batch: int
    dtype: str
    optimizer: str
    loss: str
    steps: int
    examples: int
    """Examples trained on, each counted as often as it was used."""
    operations_per_step: int
    bytes_per_step: int
    seconds: float
    """Sum of the phases of all steps."""
    wall_seconds: float
    predicted_seconds: Seconds | None
    predicted_wall_seconds: Seconds | None
    ended: str
    throttled: bool = False
    """True if some of its steps were made below full speed, whose times say little about others."""

    @property
    def name(self) -> str:
        """The backend with its threads: `numpy@1`."""
        return f"{self.backend}@{self.threads}"

    @property
    def seconds_per_step(self) -> float:
        """Mean seconds per step."""
        return self.seconds / self.steps


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """The runs that are kept, oldest first, and how many more could not be read."""

    runs: tuple[Run, ...] = ()
    skipped: int = 0


def append(run: Run) -> None:
    """Keep `run`. Raises Unwritable if the folder cannot be written, ValueError for a run with a value that is not allowed."""
    text = _encode(run)
    _decode(text)
    folder = create_data_folder()
    with _database(folder / FILE, Unwritable) as database:
        database.execute("BEGIN IMMEDIATE")  # closing without COMMIT rolls back
        database.execute(
            "CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY AUTOINCREMENT, machine TEXT NOT NULL, run TEXT NOT NULL)"
        )
        added = [run]
        if not database.execute("PRAGMA user_version").fetchone()[0]:
            added = [*_decode_all(_earlier(folder)).runs, run]
            database.execute("PRAGMA user_version = 1")
        rows = [(one.machine, _encode(one)) for one in added]
        database.executemany("INSERT INTO runs (machine, run) VALUES (?, ?)", rows)
        database.execute("DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - ?", (MAX_RUNS,))
        database.execute("COMMIT")
    for path in (folder / name for name in EARLIER):
        if os.path.isfile(path):
            try:
                os.replace(path, path.with_name(f"{path.name}.imported"))
            except OSError:
                log.debug("%s was not renamed", path, exc_info=True)


def read() -> StoredRuns:
    """Return every run. Raises Unreadable."""
    folder = data_folder()
    if folder is None:
        return StoredRuns()
    if os.path.lexists(path := folder / FILE):
        with _database(path, Unreadable) as database:
            if database.execute("PRAGMA user_version").fetchone()[0]:  # else its first append did not end
                return _decode_all(text for (text,) in database.execute("SELECT run FROM runs ORDER BY id"))
    return _decode_all(_earlier(folder))


@contextmanager
def _database(path: Path, kind: type[Unreadable] | type[Unwritable]) -> Iterator[Connection]:
    """Open the database at `path`; it is created if `kind` is Unwritable. Every failure becomes a `kind` that names the file."""
    # Reading may have to roll back what a killed process left, which needs `rw`; SQLite falls back to reading only.
    mode, verb = ("rw", "read") if kind is Unreadable else ("rwc", "written")
    try:
        import sqlite3
    except ImportError:
        raise kind(f"{display_name(path)} cannot be {verb}: this Python has no sqlite3") from None
    try:
        for one in (path, path.with_name(f"{FILE}-journal")):  # SQLite would wait for a pipe
            files.check_regular(one)
        address = f"{path.absolute().as_uri()}?mode={mode}"
        with closing(sqlite3.connect(address, timeout=PATIENCE, uri=True, isolation_level=None)) as database:
            yield database
    except files.NotRegular as error:
        raise kind(f"{display_name(path)} {error}: move it away") from None
    except (OSError, sqlite3.Error) as error:
        log.debug("%s cannot be %s", path, verb, exc_info=True)
        reason = printable((error.strerror if isinstance(error, OSError) else str(error)) or "no reason given", 100)
        raise kind(f"{display_name(path)} cannot be {verb}: {reason}") from None


def _earlier(folder: Path) -> Iterator[str]:
    """Yield the lines of the files of earlier versions; files that cannot be read are logged."""
    for path in (folder / name for name in EARLIER):
        if os.path.lexists(path):
            try:
                yield from filter(str.strip, contents(path, MAX_EARLIER).decode("utf-8", "replace").split("\n"))
            except Unreadable as error:
                log.warning("past runs were not read: %s", error)


def _decode_all(texts: Iterable[str]) -> StoredRuns:
    """Return the runs of JSON texts; broken ones are logged and counted."""
    found: list[Run] = []
    skipped = 0
    for text in texts:
        try:
            found.append(_decode(text))
        except (ValueError, RecursionError) as error:
            log.debug("a run was skipped: %s", error)
            skipped += 1
    return StoredRuns(tuple(found), skipped)


# ── the JSON of a run ──


def _encode(run: Run) -> str:
    values = asdict(run)
    if not run.throttled:
        del values["throttled"]  # which earlier versions do not know
    return json.dumps({"version": VERSION, **values}, separators=(",", ":"), allow_nan=False)


_TEXTS = ("when", "machine", "backend", "dtype", "optimizer", "loss", "ended")
_COUNTS = ("threads", "batch", "steps", "examples", "operations_per_step", "bytes_per_step")
_KEYS = {"version", *(one.name for one in fields(Run))}


@lru_cache(maxsize=2 * MAX_RUNS)
def _decode(text: str) -> Run:
    """Return the run of a JSON text. Raises ValueError or RecursionError if it has another form."""
    if not isinstance(text, str) or len(text) > MAX_LINE:
        raise ValueError("not the JSON of a run")
    reader = Reader(parsed(text), "run")
    if {*reader.values, "throttled"} != _KEYS:
        raise ValueError("not a run of this version")
    reader.number("version", int, VERSION, VERSION)
    values: dict[str, Any] = {name: reader.text(name, max_length=MAX_TEXT) for name in _TEXTS}
    if not all(values.values()) or datetime.fromisoformat(values["when"]).tzinfo is None:
        raise ValueError("a text is empty, or the time has no offset from UTC")
    values["layers"] = reader.numbers("layers", int, 1, MAX_COUNT)
    values |= {name: reader.number(name, int, 1, MAX_COUNT) for name in _COUNTS}
    values |= {name: reader.number(name, float, MIN_SECONDS, MAX_COUNT) for name in ("seconds", "wall_seconds")}
    for name in ("predicted_seconds", "predicted_wall_seconds"):
        ends = None if reader.get(name) is None else reader.numbers(name, float, MIN_SECONDS, MAX_COUNT)
        if ends is not None and (len(ends) != 3 or list(ends) != sorted(ends)):
            raise ValueError(f"{name}: low, estimate, high")
        values[name] = ends
    values["throttled"] = reader.values.get("throttled", False)
    if not isinstance(values["throttled"], bool):
        raise ValueError("throttled: true or false")
    if len(values["layers"]) < 2:
        raise ValueError("layers: sizes, inputs first")
    return Run(**values)
