"""The optional extras of the installed tuisim, and which of their packages are there.

It reads what the installer wrote down; whether a package works is not its to know.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from dataclasses import dataclass

_REQUIREMENT = re.compile(r"\s*(?P<name>[A-Za-z0-9._-]+)\s*(?P<parts>\[[^\]]*\])?\s*(?P<versions>[^;]*)(;(?P<marker>.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*['"](?P<extra>[^'"]+)['"]""")


@dataclass(frozen=True, slots=True)
class Package:
    """One package an extra asks for."""

    name: str
    wanted: str
    """`>=14,<15`."""
    version: str | None
    """As installed; none where it is not."""


@dataclass(frozen=True, slots=True)
class Extra:
    """One extra with all its packages."""

    name: str
    packages: tuple[Package, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(package.name for package in self.packages if package.version is None)


def extras(distribution: str = "tuisim") -> tuple[Extra, ...]:
    """Those the installed distribution offers, in its order; none where it is not installed but run from its folder."""
    try:
        metadata = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ()
    return read(metadata.get_all("Provides-Extra") or (), metadata.get_all("Requires-Dist") or ())


def read(names: Iterable[str], requirements: Iterable[str]) -> tuple[Extra, ...]:
    """Extras by name, from requirements as the metadata write them: `cupy-cuda12x[ctk]<15,>=14; extra == 'cuda12-ctk'`."""
    packages: dict[str, list[Package]] = {name: [] for name in names}
    for text in requirements:
        match = _REQUIREMENT.match(text)
        extra = _EXTRA.search(match["marker"] or "") if match else None
        if match and extra and extra["extra"] in packages:
            wanted = f"{match['parts'] or ''}{match['versions'].strip()}"
            packages[extra["extra"]].append(Package(match["name"], wanted, _installed(match["name"])))
    return tuple(Extra(name, tuple(found)) for name, found in packages.items())


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
