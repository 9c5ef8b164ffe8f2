"""TOML files with the fields of a run, and bounds on their text: a few kilobytes can cost a TOML parser gigabytes."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from tuisim import files
from tuisim.config.run_config import FIELDS, RunConfig
from tuisim.errors import ConfigError, Mistake, printable

MAX_TOML_BYTES = 1 << 18
MAX_DEPTH = 8
"""Arrays and tables within each other, and parts of a dotted key."""
MAX_KEYS = 256
MAX_TABLES = 256
"""Arrays and tables in all, headings of tables too."""

_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)|' + r"'''.*?(?:'''|\Z)|" + r'"(?:[^"\\\n]|\\.)*"?|' + r"'[^'\n]*'?|"
    + r"#[^\n]*|[^\s\"'#=.,\[\]{}]+|\s+|.",
    re.DOTALL,
)  # fmt: skip
"""A piece of a text: a string (closed or not), a comment, a bare word, white space, or a mark; each is read once."""


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the keys of a TOML file, with `_` for `-`, and their values. Raises ConfigError if it cannot be read as TOML."""

    def refused(remedy: str) -> ConfigError:
        return ConfigError([Mistake("config", str(path), remedy)])

    try:
        content = files.contents(path, MAX_TOML_BYTES + 1)
        if len(content) > MAX_TOML_BYTES:
            raise refused(f"is larger than {MAX_TOML_BYTES // 1024} KiB: a configuration is a few lines")
        text = content.decode("utf-8-sig")
        if words := excess(text):
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


def to_toml(config: RunConfig) -> str:
    """Return the text of a TOML file that means `config`: the layers, and a line for each field not at its default."""
    lines = []
    for name, field in FIELDS.items():
        value = getattr(config, name)
        if name == "layers" or value != field.default:
            # Numbers as they are; everything else as the text that the command line takes, in quotes.
            text = value if isinstance(value, int | float) else field.text(value) or "none"
            lines.append(f"{name} = {json.dumps(text, ensure_ascii=False)}".replace("\x7f", "\\u007f"))
    return "\n".join(lines) + "\n"


def excess(text: str) -> str:
    """Say what a text has too much of; an empty text if nothing. The text need not be TOML."""
    depth = keys = tables = parts = 0
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if piece in ("[", "{"):
            tables, depth, parts = tables + 1, depth + 1, 0
        elif piece in ("]", "}"):
            depth, parts = max(0, depth - 1), 0
        elif piece == "=":
            keys, parts = keys + 1, 0
        elif piece == ".":
            parts += 1
        elif piece == "," or "\n" in piece or piece[0] == "#":
            parts = 0
        if max(depth, parts + 1) > MAX_DEPTH:
            return f"goes more than {MAX_DEPTH} levels deep: a configuration has no tables within tables"
        if keys > MAX_KEYS:
            return f"has more than {MAX_KEYS} keys: a configuration is a few lines"
        if tables > MAX_TABLES:
            return f"has more than {MAX_TABLES} arrays and tables: a configuration is a few lines"
    return ""
