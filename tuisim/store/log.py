"""The log: one rotating file in the user's state folder, written by the standard `logging`, with tracebacks.

Warnings and errors are logged; with TUISIM_LOG=debug also exceptions that were handled. The file is created by the first record.
"""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path

from tuisim import files
from tuisim.errors import printable
from tuisim.store.folder import state_folder

NAME = "tuisim.log"
VARIABLE = "TUISIM_LOG"
"""The variable with the level: debug, info, warning or error."""
MAX_BYTES, BACKUPS = 512 * 2**10, 2
"""Size after which the file becomes tuisim.log.1, and how many of those are kept."""

_logger = logging.getLogger("tuisim")
_logger.addHandler(logging.NullHandler())  # so that nothing is printed to stderr unless a program configures logging


class _LogFile(logging.Handler):
    """A handler that finds and opens the log file at the first record: the modules for that take 15 ms to import."""

    _file: logging.FileHandler | None = None

    def emit(self, record: logging.LogRecord) -> None:
        path = log_file()
        if self._file is None or self._file.baseFilename != path:
            self.close()
            self._file = _rotating_file(path) if path else None
        if self._file is not None:
            self._file.emit(record)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


_handler = _LogFile()


def _rotating_file(path: str) -> logging.FileHandler:
    from logging.handlers import RotatingFileHandler

    class RegularFile(RotatingFileHandler):
        """Opens regular files only, and drops records that cannot be written: there is no other place to write them to."""

        def _open(self) -> io.TextIOWrapper:
            Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
            file = files.descriptor(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            return io.TextIOWrapper(open(file, "ab"), encoding="utf-8", errors="backslashreplace")

        def handleError(self, record: logging.LogRecord) -> None:
            pass

    handler = RegularFile(path, maxBytes=MAX_BYTES, backupCount=BACKUPS, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler


def start_logging() -> None:
    """Write the records of tuisim's loggers to the log file; called by the command line and by the app when they start."""
    _logger.setLevel(logging.getLevelNamesMapping().get(os.environ.get(VARIABLE, "").strip().upper(), logging.WARNING))
    _logger.addHandler(_handler)


def log_file() -> str:
    """Return the path of the log file; empty if no log is written."""
    folder = state_folder() if _handler in _logger.handlers else None
    return "" if folder is None else os.path.abspath(folder / NAME)


def record_words(error: BaseException, message: str = "an unexpected exception") -> str:
    """Log `error` with its traceback; return the words that tell a user where to find it."""
    start_logging()
    _logger.error(message, exc_info=error)
    path = log_file()
    return f"see {printable(path, 200)}" if os.path.isfile(path) else "TUISIM_DEBUG=1 shows where"
