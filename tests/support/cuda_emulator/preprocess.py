"""Turn CUDA C into C that pycparser reads: remove comments, replace defines, and rename CUDA's own words.

Every line keeps its number. CUDA's words become storage classes, which the source itself may not use: `__device__` is
`static`, `__shared__` is `register`, and `__global__` is `extern` under extern "C", else `auto`."""

import re
from collections.abc import Sequence

from .errors import CompileError

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DEFINE = re.compile(r"\s*#\s*define\s+([A-Za-z_]\w*)(\(?)(.*)")
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_WORDS = {"__global__": "auto", "__device__": "static", "__shared__": "register", "bool": "_Bool"}
_MAX_NESTED_DEFINES = 20


def preprocess(source: str, options: Sequence[str] = ()) -> str:
    """Return C text with the same lines; raise CompileError for an unknown directive or compiler option."""
    defines = {}
    for option in options:
        if not option.startswith("-"):
            raise CompileError(f"{option!r} is no compiler option")
        if option.startswith("-D"):
            name, _, value = option[2:].partition("=")
            defines[name] = value or "1"
    text = _COMMENT.sub(lambda found: " " + "\n" * found.group().count("\n"), source)
    text = "\n".join(_without_directive(line, number, defines) for number, line in enumerate(text.split("\n"), start=1))
    if found := re.search(r"\b(auto|static|register)\b", text):
        raise CompileError(f"`{found.group()}` is not in the subset")
    text = re.sub(r'\bextern\s+"C"(\s+)__global__', r"extern\1", text)
    words = _WORDS | defines
    for _ in range(_MAX_NESTED_DEFINES):
        replaced = _WORD.sub(lambda found: words.get(found.group(), found.group()), text)
        if replaced == text:
            return text
        text = replaced
    raise CompileError("a #define contains itself")


def _without_directive(line: str, number: int, defines: dict[str, str]) -> str:
    """Return the line, or nothing for a directive; add a #define to `defines`."""
    if not line.lstrip().startswith("#"):
        return line
    found = _DEFINE.match(line)
    if not found or found.group(2) or line.rstrip().endswith("\\"):
        raise CompileError(f"only `#define NAME value` is known, not {line.strip()!r}", line=number)
    if found.group(1) in defines:
        raise CompileError(f"{found.group(1)} is defined twice", line=number)
    defines[found.group(1)] = found.group(3).strip()
    return ""
