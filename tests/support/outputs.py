"""Commands' outputs in the README and the manual: where they stand, how they are made, and their shape.

A fenced block that follows a comment `<!-- output: COMMAND -->` holds `$ COMMAND` and what the command prints; ` | head -N` and
` | tail -N` cut it. `<!-- slow output: COMMAND -->` marks one that takes minutes or depends on what is installed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "README.md", *sorted((ROOT / "tuisim" / "manual").glob("*.md")))
BLOCK = re.compile(r"<!-- (slow )?output: (?P<command>tuisim .*?) -->\n```console\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_UNIT = r"(?:[kMGTPEZY]?(?:FLOP/s|op/s|B/s|examples/s|steps/s)|[KMGT]iB|[nµm]?s|min|h|days?|years?|million|[kMGTPEZY]|%|×)"
_MASKS = (
    (re.compile(r"[\u2500-\u257f\u2580-\u259f\u2800-\u28ff●▸]+"), " "),  # charts
    (re.compile(r"\b(?:Intel|AMD|Apple|ARM|VirtualApple|Neoverse|unknown processor)\b[^,·\n]*"), "PROCESSOR"),
    (re.compile(r"\b(?:OpenBLAS|MKL|Accelerate|Numba) [\d.]+(?: [A-Z]\w+)?"), "LIBRARY"),
    (re.compile(rf"[-−+~]?\d[\d,.]*(?:e[-+]\d+)?(?:\s?{_UNIT}(?![\w/]))?"), "#"),
    (re.compile(r"#(?:[ ×]*#)+"), "#"),
)

DEPENDENT = re.compile(r"predicted|note|in these times|fastest here|widest:|deepest:|most examples:|most epochs:|.*limit")
"""Beginnings of lines that say something about this machine, or about this run alone."""


@dataclass(frozen=True, slots=True)
class Output:
    """A block with a command's output in a Markdown file."""

    file: Path
    command: str
    slow: bool
    text: str
    """The block without its fence; begins with `$ ` and the command."""
    start: int
    """Where `text` begins in the file."""

    def __str__(self) -> str:
        return f"{self.file.name}: {self.command}"


def outputs(*files: Path) -> Iterator[Output]:
    """Yield the blocks of these files in order."""
    for file in files or FILES:
        for found in BLOCK.finditer(file.read_text(encoding="utf-8")):
            yield Output(file, found["command"], found[1] is not None, found["text"], found.start("text"))


def made(command: str, home: Path) -> str:
    """Run a command and return the text of its block. Raises RuntimeError if it fails."""
    call, *cuts = command.split(" | ")
    arguments = [sys.executable, "-m", "tuisim", *shlex.split(call)[1:]]
    environment = {**os.environ, "TUISIM_HOME": str(home), "NO_COLOR": "1", "PYTHONUTF8": "1"}
    environment.pop("COLUMNS", None)
    done = subprocess.run(arguments, check=False, capture_output=True, encoding="utf-8", env=environment, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{command}: exit code {done.returncode}: {done.stderr}")
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    for cut in cuts:
        name, _, count = cut.partition(" -")
        lines = lines[: int(count)] if name == "head" else lines[-int(count) :]
    return "\n".join((f"$ {command}", *lines)) + "\n"


def shape(text: str) -> list[str]:
    """Return the lines with numbers, units, library versions and processor names masked, and runs of spaces as one."""
    return [_masked(line) for line in text.splitlines()]


def strange_lines(stored: str, printed: str, others: Iterable[str] = ()) -> list[str]:
    """Return the printed lines that are not among the stored ones and have a word that is not in any stored output.

    Which rows there are, and in which order, may depend on the machine; what they are called may not.
    """
    lines = shape(stored)
    known = {word for text in (stored, *others) for line in shape(text) for word in _words(line)}
    new = [line for line in shape(printed) if line not in lines and not DEPENDENT.match(line)]
    return [line for line in new if not known.issuperset(_words(line))]


def missing_share(stored: str, printed: str) -> float:
    """Return the share of the stored lines that are not printed any more."""
    lines, now = shape(stored), shape(printed)
    return sum(line not in now for line in lines) / len(lines)


def _words(line: str) -> list[str]:
    return re.findall(r"[^\W\d_][\w'’-]*", line)


def _masked(line: str) -> str:
    for pattern, mask in _MASKS:
        line = pattern.sub(mask, line)
    return " ".join(line.split())
