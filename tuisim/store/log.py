"""The log of faults that the app survived: tracebacks in one small file, the newest last.

It does not know what failed.
"""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

from tuisim.store import folder
from tuisim.store.document import writing

NAME = "faults.log"
LIMIT = 256 * 2**10
"""Bytes after which the file becomes `faults.log.1`, in the place of the one before it."""
LONGEST = 16 * 2**10
"""Characters of one traceback; its end says most."""


def record(error: BaseException) -> Path:
    """Append the traceback of `error` to the log and return its path. Raises Unwritable."""
    path = folder.needed() / NAME
    text = "".join(traceback.format_exception(error))[-LONGEST:]
    with writing(path):
        if path.exists() and path.stat().st_size > LIMIT:
            os.replace(path, path.with_name(f"{NAME}.1"))
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"── {datetime.now(UTC).isoformat(timespec='seconds')}\n{text}\n")
    return path
