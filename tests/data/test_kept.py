"""Results that are kept within a number of bytes, and made once also by two threads."""

from __future__ import annotations

from threading import Barrier, Thread
from time import sleep

import pytest

from tuisim.data.kept import Kept


def test_the_latest_used_values_are_kept_within_the_room():
    kept: Kept[bytes] = Kept(10, len)
    kept.put("a", b"1234")
    kept.put("b", b"1234")
    assert kept.get("a") == b"1234"
    kept.put("c", b"1234")
    assert [kept.get(key) for key in "abc"] == [b"1234", None, b"1234"]
    kept.put("d", b"12345678901")
    assert [kept.get(key) for key in "acd"] == [b"1234", b"1234", None], "one that is too large displaces none"


def test_two_threads_make_a_value_once():
    kept: Kept[int] = Kept(3)
    both, made = Barrier(2), []

    def make() -> int:
        sleep(0.05)
        made.append(1)
        return 7

    def ask() -> None:
        both.wait()
        kept.get_or_make("key", make)

    threads = [Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert kept.get("key") == 7


def test_a_failure_is_not_kept():
    kept: Kept[int] = Kept(3)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            kept.get_or_make("key", lambda: 1 // 0)
    assert kept.get_or_make("key", lambda: 5) == 5
