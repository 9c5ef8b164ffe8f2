"""From CUDA C text to C text that pycparser reads: comments, defines and CUDA's own words.

It does not know C's grammar. Every line keeps its number. CUDA's words become storage classes that the source itself
cannot hold, since they are taken out first: __device__ is `static`, __shared__ is `register`, and __global__ is `extern`
under extern "C", else `auto`."""

import re
from collections.abc import Sequence

from .faults import CompileError

_DROPPED = re.compile(r"\b(?:__restrict__|__restrict|__forceinline__|__noinline__|inline|static)\b")
_BOUNDS = re.compile(r"\b__launch_bounds__\s*\([^()]*\)")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_DEFINE = re.compile(r"\s*#\s*define\s+([A-Za-z_]\w*)(\(?)(.*)")
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_CONVERSION = re.compile(r"\b(float|double|int|_Bool)\s*\(")
_KERNEL = "__global_c__"
_WORDS = {
    _KERNEL: "extern",
    "__global__": "auto",
    "__device__": "static",
    "__shared__": "register",
    "bool": "_Bool",
    "constexpr": "const",
    "size_t": "unsigned long long",
}
_DEEPEST = 20


def preprocess(source: str, options: Sequence[str] = ()) -> str:
    """C text of the same lines, with every define replaced; raises CompileError for a directive it does not know."""
    text = _COMMENT.sub(lambda found: " " + "\n" * found.group().count("\n"), source)
    defines = _given(options)
    text = "\n".join(_line(line, number, defines) for number, line in enumerate(text.split("\n"), start=1))
    text = _DROPPED.sub("", _BOUNDS.sub("", text))
    text = _without_linkage(text)
    text = _replaced(text, {**_WORDS, **defines})
    return _CONVERSION.sub(r"(\1)(", re.sub(r"\bstatic_cast\s*<([^<>]*)>", r"(\1)", text))


def _given(options: Sequence[str]) -> dict[str, str]:
    defines = {}
    for option in options:
        if not option.startswith("-"):
            raise CompileError(f"{option!r} is no compiler option")
        if option.startswith("-D"):
            name, _, value = option[2:].partition("=")
            defines[name] = value or "1"
    return defines


def _line(line: str, number: int, defines: dict[str, str]) -> str:
    """The line, or nothing for a directive, which is noted in `defines`."""
    if not line.lstrip().startswith("#"):
        return line
    if re.match(r"\s*#\s*pragma\s+unroll\b", line):
        return ""
    found = _DEFINE.match(line)
    if not found or found.group(2) or line.rstrip().endswith("\\"):
        raise CompileError(f"only `#define NAME value` and `#pragma unroll` are known, not {line.strip()!r}", line=number)
    if found.group(1) in defines:
        raise CompileError(f"{found.group(1)} is defined twice", line=number)
    defines[found.group(1)] = found.group(3).strip()
    return ""


def _replaced(text: str, defines: dict[str, str]) -> str:
    for _ in range(_DEEPEST):
        new = _WORD.sub(lambda found: defines.get(found.group(), found.group()), text)
        if new == text:
            return text
        text = new
    raise CompileError("a #define names itself")


def _without_linkage(text: str) -> str:
    """Without extern "C" and the braces of its block form; the kernels under it are marked."""
    text = re.sub(r'\bextern\s+"C"(\s*)__global__', rf"{_KERNEL}\1", text)
    while found := re.search(r'\bextern\s+"C"(\s*)(\{?)', text):
        end, rest = found.end(), ""
        if found.group(2):
            closing = _closing(text, end)
            text, rest = text[:end] + text[end:closing].replace("__global__", _KERNEL), text[closing + 1 :]
        text = text[: found.start()] + found.group(1) + text[end:] + " " + rest
    if re.search(r"\bextern\b", text):
        raise CompileError('of `extern` only extern "C" is known')
    return text


def _closing(text: str, start: int) -> int:
    depth = 1
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise CompileError('the block of extern "C" never ends')
