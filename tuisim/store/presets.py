"""Presets of the user: one TOML file each in the folder `presets` of the data folder, as `--config` reads it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tuisim.config import RunConfig
from tuisim.config.presets import PRESETS
from tuisim.config.toml import MAX_TOML_BYTES, read_toml, to_toml
from tuisim.config.values import from_mapping, to_texts
from tuisim.errors import ConfigError, printable
from tuisim.files import display_name
from tuisim.store import document
from tuisim.store.folder import create_data_folder, data_folder

FOLDER, SUFFIX = "presets", ".toml"
MAX_PRESETS = 100
"""Files of the folder that are read, in the order of their names."""
MAX_NAME = 24
_NAME = re.compile(r"\w[\w .+-]*")


@dataclass(frozen=True, slots=True)
class OwnPreset:
    """A preset of the user."""

    name: str
    path: Path
    config: RunConfig | None
    """None if its file cannot be used."""
    problem: str = ""
    """Why its file cannot be used, in one line."""


def own_presets() -> tuple[OwnPreset, ...]:
    """Return the presets of the user by name, also those whose file is damaged; none without a folder."""
    folder = _folder()
    if folder is None:
        return ()
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(SUFFIX) and not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        reason = printable(error.strerror or str(error), 100)
        return (OwnPreset("own presets", folder, None, f"{display_name(folder)} cannot be read: {reason}"),)
    return tuple(_read(folder / name) for name in names[:MAX_PRESETS])


def _read(path: Path) -> OwnPreset:
    name = printable(path.stem, MAX_NAME)
    try:
        config = from_mapping(read_toml(path), display_name(path))
    except ConfigError as error:
        return OwnPreset(name, path, None, printable(str(error).splitlines()[0], 300))
    # A path or a column's name goes onto the screen unchanged: none with control codes comes from a form.
    if not all(text.isprintable() for text in to_texts(config).values()):
        return OwnPreset(name, path, None, f"{display_name(path)}: a text in it cannot be printed")
    return OwnPreset(name, path, config)


def name_mistake(name: str) -> str:
    """Return why a preset cannot have this name; empty if it can."""
    if not name:
        return "give it a name"
    if len(name) > MAX_NAME or not _NAME.fullmatch(name) or not name.isprintable() or name != name.strip(" ."):
        return f"at most {MAX_NAME} letters, digits, spaces and - + . _"
    if any(name.lower() == preset.name for preset in PRESETS):
        return f"{name} is built in: choose another name"
    return ""


def save_preset(name: str, config: RunConfig) -> OwnPreset:
    """Save a preset; one of the same name becomes its backup. Raises document.Unwritable, also without a folder."""
    folder = create_data_folder() / FOLDER
    with document.writing(folder):
        folder.mkdir(exist_ok=True)
    path = folder / f"{name}{SUFFIX}"
    if path.is_file():
        document.replace(_backup(path), document.contents(path, MAX_TOML_BYTES))
    document.replace(path, to_toml(config).encode("utf-8", "backslashreplace"))
    return OwnPreset(name, path, config)


def delete_preset(preset: OwnPreset) -> None:
    """Delete a preset; its file becomes its backup. Raises document.Unwritable."""
    with document.writing(preset.path):
        os.replace(preset.path, _backup(preset.path))


def restore_preset(preset: OwnPreset) -> None:
    """Restore the backup of a preset that was deleted or replaced. Raises document.Unwritable."""
    with document.writing(preset.path):
        os.replace(_backup(preset.path), preset.path)


def _backup(path: Path) -> Path:
    return path.with_name(f"{path.name}~")


def _folder() -> Path | None:
    folder = data_folder()
    return None if folder is None else folder / FOLDER
