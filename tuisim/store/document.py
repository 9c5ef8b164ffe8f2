"""Small readable JSON documents, each of a kind and a version, written whole or not at all.

It does not know what is in them; whoever reads one checks its values.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any, NoReturn

from tuisim import units
from tuisim.data.reading import name_of
from tuisim.errors import DataError, printable

LIMIT = 4 * 2**20
"""Bytes of the largest document that is read."""
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
    if set(_OURS) & set(body):
        raise ValueError("kind and version are the document's own")
    text = json.dumps({"kind": kind, "version": version, **body}, indent=1, allow_nan=False, ensure_ascii=False)
    # Half of a surrogate pair, as in a file name of no encoding, becomes the escape that JSON has for it.
    replace(path, (text + "\n").encode("utf-8", "backslashreplace"))


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file at `path`, all at once; links are followed. Raises Unwritable.

    A device or a pipe is written to, and so is what this process has open as its output.
    """
    with writing(path):
        if (output := _output(path)) is not None:
            sys.stdout.flush()
            with open(output, "wb", closefd=False) as stream:
                stream.write(data)
            return
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        path = Path(os.path.realpath(path))
        temporary = path.parent / f".tuisim-{token_hex(8)}.tmp"  # not of its own name, which may be as long as any may
        try:
            with open(temporary, "xb") as stream:  # as readable as any new file; mkstemp's is its owner's alone
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(OSError):  # there is none before it, or it is another's
                os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise


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
        if path.exists() and not path.is_file():
            raise Unreadable(f"{name} is not a regular file")
        with open(path, "rb") as file:
            return file.read(most)
    except FileNotFoundError:
        raise Unreadable(f"{name}: no such file") from None
    except OSError as error:
        raise Unreadable(f"{name} cannot be read: {_reason(error)}") from None
    except ValueError as error:  # a path with a zero byte in it
        raise Unreadable(f"{name} cannot be read: {printable(str(error))}") from None


def parsed(text: str) -> Any:
    """`text` as JSON; ValueError also for what JSON has no word for (NaN, infinity) and numbers beyond a float's reach."""
    return json.loads(text, parse_constant=_no_number, parse_float=_finite)


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
    except OSError as error:
        raise Unwritable(f"{name_of(path)} cannot be written: {_reason(error)}") from None
    except ValueError as error:  # a path with a zero byte in it
        raise Unwritable(f"{name_of(path)} cannot be written: {printable(str(error))}") from None


def _reason(error: OSError) -> str:
    return printable(error.strerror or str(error) or type(error).__name__, 100)
