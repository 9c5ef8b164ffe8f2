"""Small readable JSON documents with a kind and a version, written whole or not at all; the caller checks their values."""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, NoReturn, TypeVar

from tuisim import files, units
from tuisim.errors import DataError, printable
from tuisim.files import display_name

log = logging.getLogger(__name__)

LIMIT = 4 * 2**20
MAX_DEPTH = 32
PATIENCE, PAUSE = 5.0, 0.01
"""Seconds to wait for the reader of a pipe, and between two tries."""
PREFIX, SUFFIX = ".tuisim-", ".tmp"
"""Suffix of temporary files, which are renamed to the document."""
STALE_SECONDS = 600.0
"""Age after which a temporary file is removed; writing takes milliseconds."""
_OURS = ("kind", "version")
MAX_NUMBER = 1e24
Value = TypeVar("Value")


class Unreadable(DataError):
    """A file that is missing, broken, or of another kind or version; the message names it and says what is wrong."""


class OtherVersion(Unreadable):
    """A document of the right kind, written by another version of tuisim."""

    def __init__(self, message: str, version: int | None) -> None:
        super().__init__(message)
        self.version = version
        """The version of the file; None if it is no number."""


class Unwritable(DataError):
    """A folder or file that cannot be written; nothing was changed."""


def write(path: Path, kind: str, version: int, body: Mapping[str, Any]) -> None:
    """Write kind, version and `body`, in its own order, to `path`.

    A reader finds the old document or the new one, whole, even after a power failure. Raises Unwritable; ValueError for a number
    that is not finite and for a body with a key `kind` or `version`.
    """
    replace(path, encoded(kind, version, body))


def encoded(kind: str, version: int, body: Mapping[str, Any]) -> bytes:
    """Return the text of a document. Raises ValueError as `write` does."""
    if set(_OURS) & set(body):
        raise ValueError("kind and version are reserved keys")
    text = json.dumps({"kind": kind, "version": version, **body}, indent=1, allow_nan=False, ensure_ascii=False)
    # A lone surrogate, as in a file name without an encoding, becomes its JSON escape.
    return (text + "\n").encode("utf-8", "backslashreplace")


def replace(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`, all at once. Raises Unwritable.

    A link is replaced by a regular file and its target stays as it is, so that nothing outside the folder is overwritten.
    """
    with writing(path):
        before = check_replaceable(path)
        _remove_stale(path.parent)
        # Its name does not include that of the document, which may have the maximum length.
        temporary = path.parent / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
        try:
            with open(temporary, "xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if before is not None:
                try:
                    os.chmod(temporary, stat.S_IMODE(before.st_mode))
                except OSError:  # another user's file
                    log.debug("the mode of %s was not kept", path, exc_info=True)
            os.replace(temporary, path)
        finally:
            with suppress(OSError):  # it was moved
                os.unlink(temporary)


def _remove_stale(folder: Path) -> None:
    """Remove the temporary files of processes that ended while writing; those that cannot be removed stay."""
    for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
        try:
            if time() - path.lstat().st_mtime > STALE_SECONDS:
                path.unlink()
        except OSError:
            log.debug("%s was not removed", path, exc_info=True)


def check_replaceable(path: Path) -> os.stat_result | None:
    """Return the status of the regular file at `path`, None if there is none or a link. Raises Unwritable for anything else."""
    with writing(path):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
    if stat.S_ISREG(status.st_mode):
        return status
    if stat.S_ISLNK(status.st_mode):
        return None
    what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
    raise Unwritable(f"{display_name(path)} cannot be written: it {what}: move it away")


def send(path: Path, data: bytes) -> None:
    """Write `data` to a path given by the user: links are followed, a device or a pipe is written to. Raises Unwritable.

    A file that is this process's own output is written at its current position.
    """
    with writing(path):
        if (output := _output(path)) is not None:
            sys.stdout.flush()
            with open(output, "wb", closefd=False) as stream:
                stream.write(data)
        elif path.exists() and not path.is_file():
            _write_to_device(path, data)
        else:
            replace(Path(os.path.realpath(path)), data)


def _write_to_device(path: Path, data: bytes) -> None:
    """Write to a device or a pipe. Raises OSError if nothing reads from it within PATIENCE seconds."""
    file, until = None, monotonic() + PATIENCE
    try:
        while data:
            try:
                if file is None:
                    file = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
                data = data[os.write(file, data) :]
                until = monotonic() + PATIENCE
            except OSError as error:
                if error.errno not in (errno.ENXIO, errno.EAGAIN):  # a pipe that has no reader yet, or is full
                    raise
                if monotonic() > until:
                    raise OSError("nothing reads from it") from None
                sleep(PAUSE)
    finally:
        if file is not None:
            os.close(file)


def _output(path: Path) -> int | None:
    """Return the descriptor of this process's output that `path` is, such as /dev/stdout; None if it is none of them."""
    for descriptor in (1, 2):
        with suppress(OSError):  # closed, or missing
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
    return None


def read(path: Path, kind: str, version: int) -> dict[str, Any]:
    """Return the body of the document at `path`. Raises Unreadable unless it is of this kind and version."""
    name = display_name(path)
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


def parsed(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError, also for NaN, infinity and numbers beyond the range of a float.

    Raises RecursionError if arrays and objects are nested more than MAX_DEPTH deep.
    """
    value = json.loads(text, parse_constant=_reject_constant, parse_float=_finite)
    level = [value]
    for _ in range(MAX_DEPTH):
        inside = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list))
        level = [part for values in inside for part in values]
        if not level:
            return value
    raise RecursionError


class Reader:
    """The values of a JSON object by name. Raises ValueError, with its place, for a value that is missing or wrong."""

    def __init__(self, values: Any, place: str) -> None:
        if not isinstance(values, Mapping):
            raise ValueError(f"{place or 'the document'}: not an object")
        self.values, self._place = values, place

    def at(self, name: str) -> str:
        """Return the place of a value in words."""
        return printable(f"{self._place}.{name}".strip("."), 80)

    def get(self, name: str) -> Any:
        """Return a value of any kind."""
        if name not in self.values:
            raise ValueError(f"{self.at(name)}: missing")
        return self.values[name]

    def inside(self, name: str) -> Reader:
        """Return a reader of an object's values."""
        return Reader(self.get(name), self.at(name))

    def text(self, name: str, known: Collection[str] = (), max_length: int = 500) -> str:
        """Return a string, one of those `known` if there are any."""
        value = self.get(name)
        if not isinstance(value, str) or len(value) > max_length:
            raise ValueError(f"{self.at(name)}: not a string")
        if known and value not in known:
            raise ValueError(f"{self.at(name)} = {printable(value)}: one of {', '.join(known)}")
        return value

    def number(self, name: str, kind: Callable[[Any], Value], low: float = 0.0, high: float = MAX_NUMBER) -> Value:
        """Return a number within the bounds as an int or a float."""
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{self.at(name)} = {printable(value)}: a number from {low:g} to {high:g}")
        if kind is int and kind(value) != value:
            raise ValueError(f"{self.at(name)} = {printable(value)}: an integer")
        return kind(value)

    def numbers(self, name: str, kind: Callable[[Any], Value], low: float, high: float) -> tuple[Value, ...]:
        """Return the numbers of an array."""
        if not isinstance(values := self.get(name), list):
            raise ValueError(f"{self.at(name)}: not an array")
        each = Reader({str(place): value for place, value in enumerate(values)}, self.at(name))
        return tuple(each.number(place, kind, low, high) for place in each.values)


def _reject_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    return value if abs(value) < float("inf") else _reject_constant(printable(text, 20))


def contents(path: Path, most: int) -> bytes:
    """Return the first `most` bytes of the regular file at `path`. Raises Unreadable."""
    with _naming(path, "read", Unreadable):
        try:
            return files.contents(path, most)
        except FileNotFoundError:
            raise Unreadable(f"{display_name(path)}: no such file") from None


def writing(path: Path) -> AbstractContextManager[None]:
    """Turn every error of the system while `path` is written into an Unwritable that names it."""
    return _naming(path, "written", Unwritable)


@contextmanager
def _naming(path: Path, verb: str, kind: type[DataError]) -> Iterator[None]:
    try:
        yield
    except files.NotRegular as error:
        raise kind(f"{display_name(path)} {error}{': move it away' * (kind is Unwritable)}") from None
    except OSError as error:
        reason = printable(error.strerror or str(error) or "no reason given", 100)
        raise kind(f"{display_name(path)} cannot be {verb}: {reason}") from None
    except ValueError as error:  # a path with a zero byte in it
        raise kind(f"{display_name(path)} cannot be {verb}: {printable(str(error))}") from None
