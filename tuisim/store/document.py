"""Small readable JSON documents, each of a kind and a version, written whole or not at all.

It does not know what is in them; whoever reads one checks its values.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NoReturn

from tuisim import files, units
from tuisim.data.reading import name_of
from tuisim.errors import DataError, printable
from tuisim.store import temporary

LIMIT = 4 * 2**20
"""Bytes of the largest document that is read."""
MAX_DEPTH = 32
"""Arrays and objects of a document within each other."""
PATIENCE, PAUSE = 5.0, 0.01
"""Seconds for whoever reads from a pipe to go on, and between two looks."""
_OURS = ("kind", "version")


class Unreadable(DataError):
    """A kept file that is missing, broken, or of another kind or version; the message names it and says what."""


class OtherVersion(Unreadable):
    """Of the right kind, written by another tuisim."""

    def __init__(self, message: str, version: int | None) -> None:
        super().__init__(message)
        self.version = version
        """Of the file; none where it is no number."""


class Unwritable(DataError):
    """A folder or file that cannot be written to; nothing was changed."""


def write(path: Path, kind: str, version: int, body: Mapping[str, Any]) -> None:
    """Write `body` to `path` in its own order, kind and version before it.

    A reader finds the old document or the new one, whole, even where the power fails. Raises Unwritable; ValueError for a number
    that is not finite and for a body with a kind or version of its own.
    """
    replace(path, _encoded(kind, version, body))


def export(path: Path, kind: str, version: int, body: Mapping[str, Any]) -> None:
    """Write `body` to wherever a person names: this process's output, a device, a pipe, or behind a link. Raises as `write`."""
    send(path, _encoded(kind, version, body))


def _encoded(kind: str, version: int, body: Mapping[str, Any]) -> bytes:
    if set(_OURS) & set(body):
        raise ValueError("kind and version are the document's own")
    text = json.dumps({"kind": kind, "version": version, **body}, indent=1, allow_nan=False, ensure_ascii=False)
    # Half of a surrogate pair, as in a file name of no encoding, becomes the escape that JSON has for it.
    return (text + "\n").encode("utf-8", "backslashreplace")


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file at `path`, all at once. Raises Unwritable.

    A link is replaced by a regular file and what it leads to stays as it is, so that nothing outside the folder is overwritten.
    """
    with writing(path):
        before = _replaceable(path)
        with temporary.beside(path) as (made, stream):
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
            if before is not None:
                with suppress(OSError):  # it is another's
                    os.chmod(made, stat.S_IMODE(before.st_mode))
            if sys.platform == "win32":  # an open file cannot be moved there
                stream.close()
            os.replace(made, path)


def check_replaceable(path: Path) -> None:
    """Raise Unwritable where something else than a file or a link is at `path`."""
    with writing(path):
        _replaceable(path)


def _replaceable(path: Path) -> os.stat_result | None:
    """The status of the regular file at `path`; None where there is none or a link. Raises Unwritable, OSError, ValueError."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISREG(status.st_mode):
        return status
    if stat.S_ISLNK(status.st_mode):
        return None
    what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
    raise Unwritable(f"{name_of(path)} cannot be written: it {what}: move it away")


def send(path: Path, data: bytes) -> None:
    """Write `data` to the path that a person names: links are followed, a device or a pipe is written to. Raises Unwritable.

    What this process has open as its output is written to where it is.
    """
    with writing(path):
        if (output := _output(path)) is not None:
            sys.stdout.flush()
            with open(output, "wb", closefd=False) as stream:
                stream.write(data)
        elif path.exists() and not path.is_file():
            _pour(path, data)
        else:
            replace(Path(os.path.realpath(path)), data)


def _pour(path: Path, data: bytes) -> None:
    """Write to a device or a pipe. Raises OSError where nobody reads from it within PATIENCE seconds."""
    until = monotonic() + PATIENCE
    while True:
        try:
            file = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
            break
        except OSError as error:  # a pipe that has no reader yet
            if error.errno != errno.ENXIO:
                raise
            if monotonic() > until:
                raise OSError("nobody reads from it") from None
            sleep(PAUSE)
    try:
        while data:
            try:
                data = data[os.write(file, data) :]
                until = monotonic() + PATIENCE
            except BlockingIOError:  # a pipe that is full
                if monotonic() > until:
                    raise OSError("nobody reads from it") from None
                sleep(PAUSE)
    finally:
        os.close(file)


def _output(path: Path) -> int | None:
    """Which of this process's outputs it is, as /dev/stdout may be: a file behind it has a place that it is written at."""
    for descriptor in (1, 2):
        with suppress(OSError):  # closed, or not there
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
    return None


def read(path: Path, kind: str, version: int) -> dict[str, Any]:
    """The body of the document at `path`. Raises Unreadable unless it is of this kind and version."""
    name = name_of(path)
    data = contents(path, LIMIT + 1)
    if len(data) > LIMIT:
        raise Unreadable(f"{name} is larger than the {units.size(LIMIT)} of any {kind}: not read")
    try:
        document = parsed(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable(f"{name} is not UTF-8 text: not a {kind} of tuisim's") from None
    except RecursionError:
        raise Unreadable(f"{name} is nested too deeply: not a {kind} of tuisim's") from None
    except ValueError as error:
        raise Unreadable(f"{name} is not JSON ({printable(str(error), 80)}): not a {kind} of tuisim's") from None
    if not isinstance(document, dict):
        raise Unreadable(f"{name} holds no JSON object: not a {kind} of tuisim's")
    _check(name, document, kind, version)
    return {key: value for key, value in document.items() if key not in _OURS}


def _check(name: str, document: dict[str, Any], kind: str, version: int) -> None:
    its_kind, its_version = (document.get(key) for key in _OURS)
    if its_kind != kind:
        what = f"a {printable(its_kind)}" if isinstance(its_kind, str) and its_kind else "of no kind"
        raise Unreadable(f"{name} is {what}, not a {kind}")
    # True is equal to 1 and no version.
    if type(its_version) is not int or its_version != version:
        newer = type(its_version) is int and its_version > version
        remedy = "a newer tuisim wrote it, which can read it" if newer else "make it again"
        written = "none" if its_version is None else printable(its_version, 20)
        number = its_version if type(its_version) is int else None
        raise OtherVersion(f"{name} is a {kind} of version {written}, not {version}: {remedy}", number)


def contents(path: Path, most: int) -> bytes:
    """The first `most` bytes of the regular file at `path`. Raises Unreadable."""
    name = name_of(path)
    try:
        return files.contents(path, most)
    except FileNotFoundError:
        raise Unreadable(f"{name}: no such file") from None
    except files.NotRegular as error:
        raise Unreadable(f"{name} {error}") from None
    except OSError as error:
        raise Unreadable(f"{name} cannot be read: {_reason(error)}") from None
    except ValueError as error:  # a path with a zero byte in it
        raise Unreadable(f"{name} cannot be read: {printable(str(error))}") from None


def parsed(text: str) -> Any:
    """`text` as JSON; ValueError also for what JSON has no word for (NaN, infinity) and numbers beyond a float's reach.

    Raises RecursionError where arrays and objects are within each other more than MAX_DEPTH deep, whatever the stack allows.
    """
    value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for one in level for part in _parts(one)]
        if not level:
            return
    raise RecursionError


def _parts(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if abs(value) < float("inf") else _no_number(printable(text, 20))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Whatever the system refuses while `path` is written becomes an Unwritable that names it."""
    try:
        yield
    except files.NotRegular as error:
        raise Unwritable(f"{name_of(path)} {error}: move it away") from None
    except OSError as error:
        raise Unwritable(f"{name_of(path)} cannot be written: {_reason(error)}") from None
    except ValueError as error:  # a path with a zero byte in it
        raise Unwritable(f"{name_of(path)} cannot be written: {printable(str(error))}") from None


def _reason(error: OSError) -> str:
    return printable(error.strerror or str(error) or "it does not say why", 100)
