"""Terminal input, split into keys, mouse events and pastes; input that never ends, or is none of these, is dropped.

Textual's parser sees complete, short sequences only: it would turn each character of an unfinished one into a key press, and
buffer a paste that never ends without bound. Nothing here grows with what is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual.constants import ESCAPE_DELAY
from textual.events import Key, Paste
from textual.message import Message

from tuisim.tui.textual_compat import QUIT_KEY, XTermParser

MAX_SEQUENCE = 64
"""Characters of a control sequence; no terminal sends longer ones."""
MAX_PASTE = 65_536
"""Characters of a paste that are kept."""
PASTED_RUN = 128
"""Minimum number of printable characters arriving at once that count as a paste even without bracketed paste."""
STRING_SECONDS = 0.5
"""Silence that ends an unfinished control string, and an unfinished paste in which quitting was asked for."""
PASTE_SECONDS = 5.0
"""Silence that ends any unfinished paste."""

_PASTE_START, _PASTE_END = "\x1b[200~", "\x1b[201~"
# What is not for the parser: a paste, an operating system command or another control string, a sequence that is too long.
_SPECIAL = re.compile(rf"\x1b\[200~|\x1b[\]P_^X](?=.)|\x1b\[[0-?]{{{MAX_SEQUENCE}}}", re.DOTALL)
_UNFINISHED = re.compile(r"\x1b(?:\[(?:M.{0,2}|\[|[0-?]*[ -/]*)|O|[\]P_^X])?\Z", re.DOTALL)
_PARAMETERS = re.compile(r"[0-?]*[ -/]*")
_STRING_END = re.compile(r"[\x00-\x1f]")
_RUN = re.compile(rf"[^\x00-\x1f\x7f-\x9f]{{{PASTED_RUN},}}")
# As a control character, or as terminals with a keyboard protocol send it.
_QUIT = re.compile(r"\x11|\x1b\[113(?::\d*)*;5(?::1)?(?:;[\d:]*)?u")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Intake:
    """A parser with bounds: `feed` what was read and `tick` when nothing was, each with the time in seconds."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._fed_at = 0.0
        self.unreadable = 0
        """Bursts of keys that the parser could not read; they are dropped."""
        self._clear()

    def _clear(self) -> None:
        self._parser = XTermParser()
        self._found: list[Message] = []
        self._held = ""
        """The beginning of a sequence whose rest has not come yet."""
        self._paste: list[str] | None = None
        self._paste_size = 0
        self._paste_tail = ""
        """The last characters of a paste, also of one that is too long."""
        self._in_string = False
        self._in_long_sequence = False

    def skip(self, text: str, now: float) -> list[Message]:
        """Drop `text` because there is too much of it, except for the quit key; a paste is still fed."""
        if self._paste is not None or _PASTE_START in text:
            return self.feed(text, now)
        text = self._held + text
        self._clear()
        if _QUIT.search(text):
            return [Key(QUIT_KEY, "\x11")]
        _, held = _split_unfinished(text)
        if len(held) <= MAX_SEQUENCE:
            self._held, self._fed_at = held, now
        return []

    @property
    def wait(self) -> float:
        """Seconds until the next `tick` is due."""
        return ESCAPE_DELAY if self._held else 0.1

    def feed(self, text: str, now: float) -> list[Message]:
        """Return the events that `text` completes."""
        self._fed_at = now
        text, self._held = self._held + text, ""
        while text:
            if self._paste is not None:
                text = self._in_paste(text, self._paste)
            elif self._in_string:
                text = self._skip_string(text)
            elif self._in_long_sequence:
                text = self._skip_sequence(text)
            else:
                text = self._keys(text)
        return self._taken()

    def tick(self, now: float) -> list[Message]:
        """Return the events that time completes: the escape key, and what was never finished."""
        silent = now - self._fed_at
        if self._paste is not None:
            if silent >= STRING_SECONDS and self._quits():
                self._paste = None
                self._found.append(Key(QUIT_KEY, "\x11"))
            elif silent >= PASTE_SECONDS:
                self._end_paste(self._paste)
        elif self._in_string or self._in_long_sequence:
            if silent >= STRING_SECONDS:
                self._in_string = self._in_long_sequence = False
                self._held = ""
        elif self._held and silent >= ESCAPE_DELAY:
            held, self._held = self._held, ""
            if held == "\x1b":
                self._found.append(Key("escape", "\x1b"))
            else:
                self._parse(held)
        self._found += self._parser.tick()
        return self._taken()

    def _taken(self) -> list[Message]:
        found, self._found = self._found, []
        return found

    def _keys(self, text: str) -> str:
        """Parse up to the quit key, or to the first thing that is not a key; the rest."""
        special, quits = _SPECIAL.search(text), _QUIT.search(text)
        if quits and not (special and special.start() < quits.start()):
            # No sequence has it inside; one that is unfinished, such as the escape key's, would make another key of it.
            self._parse_runs(_split_unfinished(text[: quits.start()])[0])
            self._found.append(Key(QUIT_KEY, "\x11"))
            return text[quits.end() :]
        if special:
            self._parse_runs(text[: special.start()])
            if special[0] == _PASTE_START:
                self._paste, self._paste_size, self._paste_tail = [], 0, ""
            elif special[0].startswith("\x1b["):
                self._in_long_sequence = True
            else:
                self._in_string = True
            return text[special.end() :]
        text, self._held = _split_unfinished(text)
        self._parse_runs(text)
        return ""

    def _parse_runs(self, text: str) -> None:
        """Parse keys, and pass on long runs of printable characters as pastes."""
        at = 0
        for run in _RUN.finditer(text):
            self._parse(text[at : run.start()])
            self._found.append(Paste(run[0]))
            at = run.end()
        self._parse(text[at:])

    def _parse(self, text: str) -> None:
        if not text:
            return
        try:
            self._found += self._parser.feed(text)
        except (ValueError, ArithmeticError):  # numbers that no terminal sends, such as a character beyond Unicode's last
            self.unreadable += 1
            self._parser = XTermParser()

    def _in_paste(self, text: str, paste: list[str]) -> str:
        content, end, rest = text.partition(_PASTE_END)
        if not end:
            escape = content.rfind("\x1b")
            if escape >= 0 and _PASTE_END.startswith(content[escape:]):
                content, self._held = content[:escape], content[escape:]
        kept = content[: MAX_PASTE - self._paste_size]
        paste.append(kept)
        self._paste_size += len(kept)
        self._paste_tail = (self._paste_tail + content[-MAX_SEQUENCE:])[-MAX_SEQUENCE:]
        if end:
            self._end_paste(paste)
        return rest

    def _end_paste(self, paste: Iterable[str]) -> None:
        """Without control characters: no field takes them, and shown they would reach the terminal."""
        self._paste = None
        self._found.append(Paste(_CONTROL.sub("", "".join(paste))))

    def _quits(self) -> bool:
        """Return True if the quit key was pressed last, into a paste that has not ended."""
        return _QUIT.search(self._paste_tail + self._held) is not None

    def _skip_string(self, text: str) -> str:
        """Skip a control string up to its end: a bell, ESC and a backslash, or another control character, which is a key."""
        end = _STRING_END.search(text)
        if end is None:
            return ""
        rest = text[end.start() :]
        if rest == "\x1b":  # what follows decides
            self._held = rest
            return ""
        self._in_string = False
        if rest[0] == "\x07":
            return rest[1:]
        return rest.removeprefix("\x1b\\")

    def _skip_sequence(self, text: str) -> str:
        rest = _PARAMETERS.sub("", text, count=1)
        if not rest:
            return ""
        self._in_long_sequence = False
        return rest[1:] if "@" <= rest[0] <= "~" else rest


def _split_unfinished(text: str) -> tuple[str, str]:
    """Split off the beginning of a sequence whose rest may still come."""
    escape = text.rfind("\x1b")
    return (text[:escape], text[escape:]) if escape >= 0 and _UNFINISHED.match(text, escape) else (text, "")
