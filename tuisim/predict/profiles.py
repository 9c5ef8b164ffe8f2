"""The store of machine profiles: this machine's own, and other machines' that were imported under a name."""

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
"""Profiles of lower versions are put aside; a higher version cannot be genuine."""
PATIENCE = 10.0
"""Seconds to wait for the lock, which another process holds for milliseconds unless it hangs."""
_OTHERS, _EARLIER = "cards", "earlier"
Stamp = tuple[tuple[str, int, int], ...]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class OwnProfile:
    """This machine's profile, or why there is none."""

    profile: MachineProfile | None
    trouble: str = ""
    """One line with the remedy; empty if there is a profile, or if none was ever made and one can be kept."""


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """This machine's profile as it is on disk now."""

    profile: MachineProfile
    """With what another process has measured meanwhile."""
    path: Path
    stamp: Stamp
    """The value of `stamp()` just after it was written."""


def own() -> OwnProfile:
    """Return this machine's profile; a broken or outdated one is named and not used."""
    where = data_folder()
    if where is None or not os.path.lexists(where / OWN):  # Path.exists may raise in a closed folder
        return OwnProfile(None, unavailable_reason())
    try:
        profile = load(where / OWN)
        if not (changed := profile.machine.differs(this_machine())):
            return OwnProfile(profile)
        before, trouble = _put_aside(where), f"the machine profile is outdated ({printable(changed, 300)}): run tuisim calibrate"
    except DataError as error:
        before = _put_aside(where) if isinstance(error, document.OtherVersion) else None
        trouble = f"{error}; ignored: run tuisim calibrate"
    return OwnProfile(before) if before else OwnProfile(None, trouble)


def check_keeping() -> None:
    """Raise Unwritable if a profile could not be kept, as far as that is known before there is one."""
    where = create_data_folder()
    document.check_replaceable(where / OWN)
    with document.writing(where / LOCK):
        os.close(files.descriptor(where / LOCK, os.O_RDWR | os.O_CREAT))


def keep(profile: MachineProfile) -> StoredProfile:
    """Write this machine's profile. Raises Unwritable.

    A profile of the same computer with other libraries or cores is put aside, and found again once they are back; so is one that
    another version of tuisim wrote. Entries that another process has measured meanwhile stay.
    """
    where = create_data_folder()
    path = where / OWN
    check_keeping()
    with document.writing(where / LOCK), lock.held(where / LOCK, PATIENCE), document.writing(path):
        try:
            old = load(path) if os.path.exists(path) else None
            aside = old.machine.id if old is not None and old.machine.differs(profile.machine) else None
        except document.OtherVersion as error:
            old, aside = None, f"version-{error.version}" if error.version in range(VERSIONS) else None
        except DataError:  # broken, so it is replaced
            old, aside = None, None
        if aside is not None:
            old = _put_aside(where)  # of this machine, from before the other one
            (where / _EARLIER).mkdir(exist_ok=True)
            document.replace(where / _EARLIER / f"{aside}.json", document.contents(path, document.LIMIT))
        profile = profile if old is None else _with_newer(profile, old)
        document.write(path, KIND, VERSION, profile.to_dict())
        return StoredProfile(profile, path, stamp())


def _with_newer(profile: MachineProfile, other: MachineProfile) -> MachineProfile:
    """Return `profile` with the entries of `other` that are newer or new; one dated in the future is not newer."""
    for entry in other.entries:
        mine = profile.entry(entry)
        if mine is None or mine.moment < entry.moment <= datetime.now(UTC):
            profile = profile.with_entry(entry)
    return profile


def _put_aside(where: Path) -> MachineProfile | None:
    """Return this machine's profile that was put aside for another one; None if none can be used."""
    found: MachineProfile | None = None
    for name in (this_machine().id, f"version-{VERSION}"):
        path = where / _EARLIER / f"{name}.json"
        try:
            profile = load(path) if os.path.exists(path) else None
        except DataError:
            continue
        if profile is not None and not profile.machine.differs(this_machine()):
            found = profile if found is None else _with_newer(found, profile)
    return found


def load(path: Path) -> MachineProfile:
    """Return the profile in a file. Raises Unreadable, naming the file."""
    body = document.read(path, KIND, VERSION)
    try:
        return MachineProfile.from_dict(body)
    except ProfileError as error:
        raise document.Unreadable(f"{printable(str(path), 200)} is no machine profile: {error}") from None


def export(path: Path) -> None:
    """Write a copy of this machine's profile. Raises DataError if there is none."""
    found = own()
    if found.profile is None:
        raise DataError(found.trouble or "there is no machine profile yet: run tuisim calibrate")
    document.send(path, document.encoded(KIND, VERSION, found.profile.to_dict()))


def take(path: Path, name: str) -> Path:
    """Keep a copy of another machine's profile under `name` and return its path. Raises ConfigError, Unreadable or Unwritable."""
    profile = load(path)
    where = create_data_folder() / _OTHERS
    with document.writing(where):
        where.mkdir(exist_ok=True)
    if not _NAME.fullmatch(name):
        raise ConfigError([Mistake("name", name, "letters, digits, dots, dashes; at most 40")])
    place = where / f"{name}.json"
    document.write(place, KIND, VERSION, profile.to_dict())
    return place


def others() -> dict[str, MachineProfile]:
    """Return the imported profiles by name; those that cannot be read are left out."""
    where = data_folder()
    found: dict[str, MachineProfile] = {}
    for path in [] if where is None else _imported(where):
        try:
            found[path.stem] = load(path)
        except DataError:  # `named` says what is wrong with it
            continue
    return found


def stamp() -> Stamp:
    """Return a value that changes when any profile does: (path, time, size) of each."""
    where = data_folder()
    if where is None:
        return ()
    found: list[tuple[str, int, int]] = []
    for path in (where / OWN, *_imported(where)):
        try:
            status = path.stat()
        except OSError:  # it was removed, or never existed
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


def _imported(where: Path) -> list[Path]:
    """Return the files of imported profiles; none if the folder cannot be read."""
    try:
        return sorted((where / _OTHERS).glob("*.json"))
    except OSError:
        return []


def named(name: str) -> MachineProfile:
    """Return the profile imported under `name`, or in the file of that path. Raises DataError."""
    where = data_folder()
    if _NAME.fullmatch(name) and where is not None and os.path.exists(place := where / _OTHERS / f"{name}.json"):
        return load(place)
    if Path(name).suffix == ".json" or os.path.exists(name):
        return load(Path(name))
    have = ", ".join(others()) or "none was imported"
    raise DataError(f"machine = {printable(name)}: no profile of that name ({have}): tuisim calibrate --import FILE --name NAME")
