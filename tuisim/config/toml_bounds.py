"""Bounds on a configuration's text, looked at before it is parsed: a few kilobytes can cost a TOML parser gigabytes.

It knows how strings, comments, keys and brackets are written in TOML, and nothing of what they mean.
"""

from __future__ import annotations

import re

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
"""Each piece of a text: a string, a comment, a bare word, white space, or a mark. No piece is looked at twice: a string that
is not closed is one all the same.
"""


def too_much(text: str) -> str:
    """Return in words what there is too much of in a TOML text; empty if nothing. The text need not be TOML."""
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
