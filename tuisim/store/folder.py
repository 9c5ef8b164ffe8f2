"""The user's folders: machine profiles and past runs in the data folder, the log in the state folder."""

from __future__ import annotations

import os
from pathlib import Path

from tuisim.files import display_name, is_writable
from tuisim.store.document import Unwritable, writing

VARIABLE = "TUISIM_HOME"
"""The variable that names another folder, for data and log."""


def data_folder() -> Path | None:
    """Return the data folder, existing or not; None if neither the variable nor the system names one."""
    return _user_folder("user_data_path")


def state_folder() -> Path | None:
    """Return the folder of the log, existing or not; None if neither the variable nor the system names one."""
    return _user_folder("user_state_path")


def _user_folder(name: str) -> Path | None:
    """Return a folder by the name of platformdirs' function for it.

    A relative path is no folder: files would lie in whatever folder a command is started from.
    """
    if (named := os.environ.get(VARIABLE, "")).strip():
        return Path(named)
    try:
        import platformdirs

        path: Path = getattr(platformdirs, name)("tuisim", appauthor=False)
    except (ImportError, RuntimeError, ValueError, OSError):  # no platformdirs; no home, or a user without an entry
        return None  # `unavailable_reason` names it
    return path if path.is_absolute() else None


def unavailable_reason() -> str:
    """Return why nothing can be kept, in one line with the remedy; empty if it can, as far as that shows without writing."""
    path = data_folder()
    if path is None:
        return f"no home folder is known, so nothing can be kept: set {VARIABLE} to a folder"
    if is_writable(path):
        return ""
    return f"{display_name(path)} cannot be written to, so nothing can be kept: set {VARIABLE} to another folder"


def create_data_folder() -> Path:
    """Return the data folder, created if it did not exist. Raises Unwritable if there can be none."""
    reason, path = unavailable_reason(), data_folder()
    if reason or path is None:
        raise Unwritable(reason)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path
