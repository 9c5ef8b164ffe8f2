"""Where cards are kept: this machine's own, and those of others that were imported under a name.

It does not know how a card is made, nor what it is used for.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuisim import files
from tuisim.errors import ConfigError, DataError, Mistake, printable
from tuisim.predict.machine import this_machine
from tuisim.predict.profile import KIND, VERSION, MachineProfile, ProfileError
from tuisim.store import document, lock
from tuisim.store.folder import create_data_folder, data_folder, unavailable_reason

OWN, LOCK = "card.json", "card.lock"
VERSIONS = 1_000
"""Of cards that are put aside; no tuisim writes one of more."""
PATIENCE = 10.0
"""Seconds for another process to let go of the lock, which takes it milliseconds; after that it hangs and is not waited for."""
_OTHERS, _EARLIER = "cards", "earlier"
Stamp = tuple[tuple[str, int, int], ...]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class Found:
    """This machine's card, or why there is none."""

    card: MachineProfile | None
    trouble: str = ""
    """In one line, with the remedy; empty where there is a card, or where none was ever made and one can be kept."""


@dataclass(frozen=True, slots=True)
class Kept:
    """This machine's card as it is on disk now."""

    card: MachineProfile
    """With what another process has measured meanwhile."""
    path: Path
    stamp: Stamp
    """As `stamp` was just then."""


def own() -> Found:
    """This machine's card; one that is broken, or of before something changed, is named and not used."""
    where = data_folder()
    if where is None or not os.path.lexists(where / OWN):  # a path's own question may raise where a folder is closed
        return Found(None, unavailable_reason())
    try:
        card = load(where / OWN)
    except DataError as error:
        before = _put_aside(where) if isinstance(error, document.OtherVersion) else None
        return Found(before) if before else Found(None, f"{error}; ignored: run tuisim calibrate")
    changed = card.machine.differs(this_machine())
    if changed:
        before = _put_aside(where)
        if before is not None:
            return Found(before)
        return Found(None, f"the machine card no longer holds ({printable(changed, 300)}): run tuisim calibrate")
    return Found(card)


def check_keeping() -> None:
    """Raises Unwritable where a card could not be kept, as far as that can be told before there is one."""
    where = create_data_folder()
    document.check_replaceable(where / OWN)
    with document.writing(where / LOCK):
        os.close(files.descriptor(where / LOCK, os.O_RDWR | os.O_CREAT))


def keep(card: MachineProfile) -> Kept:
    """Write this machine's card. Raises Unwritable.

    One of the same computer with other libraries or cores is put aside, and found again once they are back; so is one that
    another tuisim wrote. What another process has measured meanwhile stays on it.
    """
    where = create_data_folder()
    path = where / OWN
    check_keeping()
    with document.writing(where / LOCK), lock.held(where / LOCK, PATIENCE), document.writing(path):
        try:
            old = load(path) if os.path.exists(path) else None
            aside = old.machine.id if old is not None and old.machine.differs(card.machine) else None
        except document.OtherVersion as error:
            old, aside = None, _of_version(error.version) if error.version in range(VERSIONS) else None
        except DataError:  # broken, and to be replaced
            old, aside = None, None
        if aside is not None:
            old = _put_aside(where)  # of this machine, before the other one
            (where / _EARLIER).mkdir(exist_ok=True)
            document.replace(where / _EARLIER / f"{aside}.json", document.contents(path, document.LIMIT))
        card = card if old is None else _with_newer(card, old)
        document.write(path, KIND, VERSION, card.to_dict())
        return Kept(card, path, stamp())


def _with_newer(card: MachineProfile, other: MachineProfile) -> MachineProfile:
    """With the other's entries where they are newer, or the only ones of their kind; what is of days to come is not newer."""
    for entry in other.entries:
        mine = card.entry(entry.backend, entry.threads, entry.dtype)
        if mine is None or mine.moment < entry.moment <= datetime.now(UTC):
            card = card.with_entry(entry)
    return card


def _of_version(version: int | None) -> str:
    return f"version-{version}"


def _put_aside(where: Path) -> MachineProfile | None:
    """This machine's card that was put aside, for another machine's or for another tuisim's; none where none can be used."""
    found: MachineProfile | None = None
    for name in (this_machine().id, _of_version(VERSION)):
        path = where / _EARLIER / f"{name}.json"
        try:
            card = load(path) if os.path.exists(path) else None
        except DataError:
            continue
        if card is not None and not card.machine.differs(this_machine()):
            found = card if found is None else _with_newer(found, card)
    return found


def load(path: Path) -> MachineProfile:
    """The card in a file. Raises Unreadable or ProfileError, each naming the file."""
    body = document.read(path, KIND, VERSION)
    try:
        return MachineProfile.from_dict(body)
    except ProfileError as error:
        raise document.Unreadable(f"{printable(str(path), 200)} is no card: {error}") from None


def export(path: Path) -> None:
    """Write a copy of this machine's card. Raises DataError where there is none."""
    found = own()
    if found.card is None:
        raise DataError(found.trouble or "there is no machine card yet: run tuisim calibrate")
    document.export(path, KIND, VERSION, found.card.to_dict())


def take(path: Path, name: str) -> Path:
    """Keep a copy of another machine's card under `name`; where it is. Raises ConfigError, Unreadable or Unwritable."""
    card = load(path)
    where = create_data_folder() / _OTHERS
    with document.writing(where):
        where.mkdir(exist_ok=True)
    place = where / f"{_checked(name)}.json"
    document.write(place, KIND, VERSION, card.to_dict())
    return place


def others() -> dict[str, MachineProfile]:
    """The cards that were imported, by name; those that cannot be read are left out."""
    where = data_folder()
    found: dict[str, MachineProfile] = {}
    for path in [] if where is None else _imported(where):
        try:
            found[path.stem] = load(path)
        except DataError:  # asked for by name, it says what is wrong with it
            continue
    return found


def stamp() -> Stamp:
    """What changes when any card does: (path, when written, size) of each."""
    where = data_folder()
    if where is None:
        return ()
    found: list[tuple[str, int, int]] = []
    for path in (where / OWN, *_imported(where)):
        try:
            status = path.stat()
        except OSError:  # gone meanwhile, or never there
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


def _imported(where: Path) -> list[Path]:
    """Files of cards that were imported; none where the folder is closed, or can be none."""
    try:
        return sorted((where / _OTHERS).glob("*.json"))
    except OSError:
        return []


def named(name: str) -> MachineProfile:
    """The card imported under `name`, or in the file of that path. Raises DataError."""
    where = data_folder()
    if _NAME.fullmatch(name) and where is not None and os.path.exists(place := where / _OTHERS / f"{name}.json"):
        return load(place)
    if Path(name).suffix == ".json" or os.path.exists(name):
        return load(Path(name))
    have = ", ".join(others()) or "none was imported"
    raise DataError(f"machine = {printable(name)}: no card of that name ({have}): tuisim calibrate --import FILE --name NAME")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError([Mistake("name", name, "letters, digits, dots, dashes; at most 40")])
    return name
