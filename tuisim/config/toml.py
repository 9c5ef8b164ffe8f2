"""A configuration from plain values or a TOML file: unknown keys refused by name, every mistake at once.

What the values mean is `config`'s to say.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuisim import files
from tuisim.config import FIELDS, RunConfig
from tuisim.config import toml_bounds as tomlbounds
from tuisim.errors import ConfigError, Mistake, nearest, printable

MAX_TOML_BYTES = 1 << 18


def from_mapping(values: Mapping[str, Any], source: str = "configuration") -> RunConfig:
    """A RunConfig from plain values; an unknown key is refused by name. Raises ConfigError."""
    mistakes = [Mistake(key, value, f"{source}: {nearest(key, FIELDS)}") for key, value in values.items() if key not in FIELDS]
    known = {key: value for key, value in values.items() if key in FIELDS}
    if "layers" not in known:
        mistakes.append(Mistake("layers", None, "give the sizes, such as 64-32-10"))
    else:
        try:
            config = RunConfig(**known)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return config


def read_toml(path: str | Path) -> dict[str, Any]:
    """The keys of a TOML file, `-` and `_` alike. Raises ConfigError where it is missing or no TOML."""

    def refused(remedy: str) -> ConfigError:
        return ConfigError([Mistake("config", str(path), remedy)])

    try:
        content = files.contents(path, MAX_TOML_BYTES + 1)
        if len(content) > MAX_TOML_BYTES:
            raise refused(f"is larger than {MAX_TOML_BYTES // 1024} KiB: a configuration is a few lines")
        text = content.decode("utf-8-sig")
        if words := tomlbounds.too_much(text):
            raise refused(words)
        values = tomllib.loads(text)
    except files.NotRegular as error:
        raise refused(str(error)) from None
    except OSError as error:
        raise refused(f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, a number too long, tables too deep
        raise refused(f"is not TOML: {printable(str(error), 120)}") from None
    known: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name in known:
            raise refused(f"has {printable(name)} twice")
        known[name] = value
    return known
