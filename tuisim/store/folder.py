"""The user's data folder: where cards and runs are kept.

It does not know what is kept there.
"""

from __future__ import annotations

import os
from pathlib import Path

from tuisim.store.document import Unwritable, writing

VARIABLE = "TUISIM_HOME"
"""Names another folder."""


def folder() -> Path | None:
    """Where it is, made or not; none where neither the variable nor platformdirs says."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    try:
        from platformdirs import user_data_path
    except ImportError:
        return None
    return user_data_path("tuisim", appauthor=False)


def needed() -> Path:
    """The folder, made where it was not there. Raises Unwritable where there can be none."""
    path = folder()
    if path is None:
        raise Unwritable(f"there is no data folder: set {VARIABLE} to one, or install platformdirs")
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path
