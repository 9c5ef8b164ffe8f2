"""Terminal input becomes keys, mouse events and pastes of bounded size, however it is split and whether it ends or not."""

from __future__ import annotations

from itertools import product

import pytest
from textual.events import AppFocus, Key, MouseDown, Paste
from textual.message import Message

from tuisim.tui.intake import MAX_PASTE, PASTE_SECONDS, PASTED_RUN, STRING_SECONDS, Intake

QUIT = "\x1b[113;5u"


def words(messages: list[Message]) -> list[str]:
    """Keys by name, pastes by their text, other events by their class."""
    return [
        one.key if isinstance(one, Key) else f"paste {one.text}" if isinstance(one, Paste) else type(one).__name__
        for one in messages
    ]


def taken(*pieces: str, silence: float = 0.0) -> list[str]:
    """The events of these pieces, read one after the other; with `silence`, also those that time completes."""
    intake = Intake()
    found = [event for piece in pieces for event in intake.feed(piece, 0.0)]
    return words(found + (intake.tick(silence) if silence else []))


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("ab", ["a", "b"]),
        ("\x1b[A\x1bOB\x1b[20~", ["up", "down", "f9"]),
        ("\x1b[113;5u\x11", ["ctrl+q", "ctrl+q"]),
        ("\x1b[<0;3;4M\x1b[I", ["MouseDown", "AppFocus"]),
        ("\x1b[200~two\r\nlines\x1b[201~x", ["paste two\r\nlines", "x"]),
        ("\x1b[200~\x1b[31mred\x07\x00\x1b[201~", ["paste [31mred"]),
        ("\x1b]52;c;AAAA\x07a\x1bPq\x1b\\b", ["a", "b"]),
        ("\x1b[[A", ["f1"]),
    ],
)
def test_the_events_do_not_depend_on_how_the_text_is_split(text: str, events: list[str]) -> None:
    assert taken(text) == events
    assert taken(*text) == events
    for at in range(1, len(text)):
        assert taken(text[:at], text[at:]) == events


def test_an_escape_without_anything_after_it_is_the_escape_key() -> None:
    assert taken("\x1b") == []
    assert taken("\x1b", silence=0.2) == ["escape"]
    assert taken("a\x1b", "[", silence=0.01) == ["a"]


def test_a_long_run_that_arrives_at_once_is_a_paste() -> None:
    assert taken("7" * (PASTED_RUN - 1)) == ["7"] * (PASTED_RUN - 1)
    assert taken("\t" + "7" * PASTED_RUN + "\r") == ["tab", "paste " + "7" * PASTED_RUN, "enter"]


@pytest.mark.parametrize("start", ["\x1b[", "\x1b[1;", "\x1b]52;c;", "\x1bP", "\x1b_", "\x1b[200~"])
def test_unterminated_sequences_are_dropped_and_the_quit_key_works(start: str) -> None:
    for key in ("\x11", QUIT):
        intake = Intake()
        for _ in range(256):
            assert intake.feed(start + "1;" * 2048, 0.0) == []
        held = sum(len(piece) for piece in intake._paste or []) + len(intake._held)
        assert held <= MAX_PASTE
        found = words(intake.feed(key, 1.0) + intake.tick(1.0 + STRING_SECONDS))
        assert found == ["ctrl+q"]
        assert words(intake.feed("a", 3.0)) == ["a"]


STARTS = (
    "\x1b", "\x1b\x1b\x1b", "\x1b[", "\x1bO", "\x1bN", "\x1b(", "\x1b[ ", "\x1b[?", "\x1b[1;",
    "\x1b[113;5", "\x1b[<0;1", "\x1b[M", "\x1b[[",
    "\x1b[" + "1;" * 500, "\x1b]", "\x1b]\x1b", "\x1b]52;c;QUJD", "\x1bP", "\x1b_x", "\x1b[200~", "\x1b[200~a\x1b[201",
    "\x1b[1114112u", "\x1b[48;0;0;0;0t", "a" * 500, "\ufffd",
)  # fmt: skip


@pytest.mark.parametrize("how", ["feed", "skip"])
@pytest.mark.parametrize("quits", ["\x11", QUIT])
def test_the_quit_key_works_after_any_input_however_it_is_split(quits: str, how: str) -> None:
    """The escape key and ctrl+q within a tenth of a second are two keys, not alt+ctrl+q."""
    for first, second in product(STARTS, repeat=2):
        text = first + second + quits
        for cut in {0, len(first), len(first + second), len(text) - 1}:
            intake = Intake()
            found = intake.feed(text[:cut], 0.0) + getattr(intake, how)(text[cut:], 0.0)
            found += intake.tick(STRING_SECONDS) + intake.tick(PASTE_SECONDS)
            assert "ctrl+q" in words(found), (first, second, cut)


def test_endless_escapes_are_dropped() -> None:
    intake = Intake()
    intake.feed("\x1b[200~", 0.0)
    for _ in range(256):
        assert intake.feed("\x1b" * 4096, 0.0) == []
    assert words(intake.feed("\x11", 0.0) + intake.tick(STRING_SECONDS)) == ["ctrl+q"]


def test_a_paste_is_cut_and_one_without_an_end_ends_by_itself() -> None:
    assert taken("\x1b[200~" + "a" * (2 * MAX_PASTE) + "\x1b[201~b") == ["paste " + "a" * MAX_PASTE, "b"]
    assert taken("\x1b[200~abc", silence=STRING_SECONDS) == []
    assert taken("\x1b[200~abc", silence=PASTE_SECONDS) == ["paste abc"]
    intake = Intake()
    intake.feed("\x1b[200~abc", 0.0)
    intake.tick(PASTE_SECONDS)
    assert words(intake.feed("d", 6.0)) == ["d"]


def test_a_flood_of_input_is_dropped_except_for_the_quit_key() -> None:
    intake = Intake()
    assert intake.skip("\t\x1b[B" * 100, 0.0) == []
    assert words(intake.skip("\t\t" + QUIT + "\t", 0.0)) == ["ctrl+q"]
    assert words(intake.skip("\x1b[200~\x11", 0.0) + intake.skip("a\x1b[201~", 0.0)) == ["paste a"]


def test_sequences_that_the_parser_knows_are_passed_through() -> None:
    found = Intake().feed("\x1b[<0;3;4M\x1b[I", 0.0)
    assert [type(event) for event in found] == [MouseDown, AppFocus]
