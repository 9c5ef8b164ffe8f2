"""The user's data folder: where cards and runs are kept.

It does not know what is kept there.
"""

from __future__ import annotations

import os
from pathlib import Path

from tuisim.data.reading import name_of, writable
from tuisim.store.document import Unwritable, writing

VARIABLE = "TUISIM_HOME"
"""Names another folder."""


def folder() -> Path | None:
    """The folder, existing or not; None where neither the variable nor the system names one.

    A relative home names none: what is kept would lie about in whatever folder a command is started from.
    """
    if (named := os.environ.get(VARIABLE, "")).strip():
        return Path(named)
    try:
        from platformdirs import user_data_path

        path = user_data_path("tuisim", appauthor=False)
    except (ImportError, RuntimeError, ValueError, OSError):  # no platformdirs; no home, or a user without an entry
        return None
    return path if path.is_absolute() else None


def closed() -> str:
    """Why nothing can be kept, in one line with the remedy; empty where it can, as far as that shows without writing."""
    path = folder()
    if path is None:
        return f"no home folder is known here, so nothing can be kept: set {VARIABLE} to a folder"
    if writable(path):
        return ""
    return f"{name_of(path)} cannot be written to, so nothing can be kept: set {VARIABLE} to another folder"


def needed() -> Path:
    """The folder, made where it was not there. Raises Unwritable where there can be none."""
    why, path = closed(), folder()
    if why or path is None:
        raise Unwritable(why)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path
