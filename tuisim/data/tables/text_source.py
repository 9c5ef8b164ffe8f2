"""The text of a table file: unpacked, guarded against hostile content and decoded, from its beginning each time it is opened."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from tuisim import stages, units
from tuisim.data import npz, reading
from tuisim.data.tables import text_format
from tuisim.data.tables.text_format import TableFormat
from tuisim.errors import DataError, printable

_SAMPLE = 2**18
"""Characters of the first lines, at least, that tell the format."""
_SAMPLE_LINES = 30
_PIECE = 2**18
_PACKERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_WIDE = ("utf-16", "utf-16-le", "utf-16-be")


class TextSource:
    """The lines of a text file, plain or packed with gzip, bzip2, xz or zip. Raises DataError."""

    def __init__(self, file: IO[bytes], size: int, name: str) -> None:
        self.file, self.size, self.name = file, size, name
        file.seek(0)
        start = file.read(6)
        self._unpack = next((opener for mark, opener in _PACKERS.items() if start.startswith(mark)), None)
        self._member = _only_member(file, size, name) if start.startswith(b"PK") else None
        self.is_packed = self._unpack is not None or self._member is not None

    def open_bytes(self, wide: bool = False) -> io.BufferedReader:
        """Return the unpacked bytes from their beginning; `wide` if a character may take several."""
        self.file.seek(0)
        stream = self.file
        if self._unpack is not None:
            stream = self._unpack(self.file)
        elif self._member is not None:
            stream = zipfile.ZipFile(self.file).open(self._member)  # noqa: SIM115 - closed with the file
        limit = max(reading.PACKED_LIMIT, reading.PACKED_RATIO * self.size) if self.is_packed else None
        return io.BufferedReader(_Guarded(self, stream, limit, wide), _PIECE)

    def open_text(self, encoding: str) -> io.TextIOWrapper:
        """Return the text from its beginning, with its line breaks. Reading it may raise UnicodeDecodeError."""
        return io.TextIOWrapper(self.open_bytes(encoding in _WIDE), encoding=encoding, newline="")

    def first_lines(self, encoding: str) -> list[str]:
        """Return complete lines from the beginning, enough to tell the format."""
        lines: list[str] = []
        total = 0
        with self.open_text(encoding) as text:
            while (total < _SAMPLE or len(lines) < _SAMPLE_LINES) and (line := text.readline()):
                lines.append(line)
                total += len(line)
        return lines

    def data(self, form: TableFormat) -> Any:
        """Return the text after the heading, without comments, as a file to read from."""
        text = self.open_text(form.encoding)
        for _ in range(form.skip):
            text.readline()
        return _WithoutComments(text) if form.has_comments else text

    def rows(self, form: TableFormat) -> Iterator[tuple[int, list[str]]]:
        """Yield each row of data with the number of its last line. Raises DataError with the line of an unclosed quote."""
        with self.open_text(form.encoding) as text:
            numbered = ((number, line) for number, line in enumerate(text, 1) if number > form.skip)
            lines = (one for one in numbered if not (form.has_comments and text_format.is_comment(one[1])))
            yield from text_format.numbered_rows(lines, form.separator, self.name)

    @property
    def share_read(self) -> float:
        """The share of the file that has been read."""
        return self.file.tell() / max(1, self.size)


class _Guarded(io.RawIOBase):
    """A stream that ends with a DataError if it unpacks to too much, has too long a line, or is not text."""

    def __init__(self, source: TextSource, stream: IO[bytes], limit: int | None, wide: bool) -> None:
        """`stream` has the bytes of `source`, unpacked."""
        self._file, self._size, self._name = source.file, source.size, source.name
        self._stream, self._limit, self._wide = stream, limit, wide
        self._total = self._since_break = 0
        self._lines = 1

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` and return the number of bytes. Raises DataError."""
        piece = self._stream.read(min(len(buffer), _PIECE))
        stages.report(self._file.tell(), self._size, "B")
        self._total += len(piece)
        if self._limit is not None and self._total > self._limit:
            raise DataError(f"{self._name} unpacks to more than {units.size(self._limit)}: not read, unpack it first")
        if b"\0" in piece and not self._wide:
            line = self._lines + _breaks(piece[: piece.index(b"\0")])
            raise DataError(f"{self._name}, line {line:,} has a zero byte and is not text: give a table as text, such as CSV")
        last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        self._since_break = len(piece) - last - 1 if last >= 0 else self._since_break + len(piece)
        self._lines += _breaks(piece)
        if self._since_break > text_format.MAX_LINE:
            where = f"{self._name}, line {self._lines:,}"
            raise DataError(f"{where} is longer than {text_format.MAX_LINE:,} bytes: end each row with a line break")
        buffer[: len(piece)] = piece
        return len(piece)


class _WithoutComments(io.TextIOBase):
    """A text without the lines that begin with #."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._rest = text, ""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> str:
        """Return about `size` characters in whole lines; an empty text at the end."""
        wanted = _PIECE if size is None or size < 0 else size
        pieces, held = [self._rest], len(self._rest)
        while held < wanted and (line := self.readline()):
            pieces.append(line)
            held += len(line)
        text = "".join(pieces)
        self._rest = text[wanted:]
        return text[:wanted]

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """Return the next line."""
        while (line := self._text.readline()) and text_format.is_comment(line):
            pass
        return line


def _breaks(piece: bytes) -> int:
    return piece.count(b"\n") or piece.count(b"\r")


def _only_member(file: IO[bytes], size: int, name: str) -> zipfile.ZipInfo:
    """Return the only file in a zip archive. Raises DataError."""
    archive = npz.Archive(file, size, name)
    members = [
        member
        for member in archive.members
        if not (member.is_dir() or member.filename.startswith("__MACOSX") or "/." in member.filename)
    ]
    if len(members) != 1:
        found = printable(", ".join(member.filename for member in members), 120) or "no file"
        raise DataError(f"{name} is a zip archive of {len(members):,} files ({found}): give one with a single table")
    reading.check_size(name, members[0].file_size, members[0].compress_size)
    return members[0]
