"""What is kept on disk: documents that are whole or named with what is wrong, and runs of which none is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tuisim.config.choices import MAX_WEIGHT_LAYERS
from tuisim.errors import DataError, ExitCode
from tuisim.store import document, lock
from tuisim.store import runs as runs_module
from tuisim.store.document import LIMIT, Unreadable, Unwritable, read, write
from tuisim.store.folder import folder, needed
from tuisim.store.runs import FILE, OLDER, Kept, Run, append, runs
from tuisim.units import MAX_COUNT

RUN = Run(
    when="2026-02-03T04:05:06+00:00", machine="epyc-1a2b", backend="numpy", threads=2, layers=(64, 32, 10), batch=32,
    dtype="float32", optimizer="sgd", loss="cross_entropy", steps=1_000, examples=32_000, operations_per_step=331_000,
    bytes_per_step=140_000, seconds=0.056, wall_seconds=0.08, predicted_seconds=(0.05, 0.055, 0.07),
    predicted_wall_seconds=None, ended="completed",
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that is not there yet."""
    monkeypatch.setenv("TUISIM_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


# ── the folder ──


def test_the_variable_names_the_folder_and_it_is_made_when_written_to(data):
    assert folder() == data
    assert not data.exists()
    assert runs() == Kept()
    assert not data.exists(), "to look is not to write"
    assert needed() == data
    assert data.is_dir()


def test_without_the_variable_it_is_the_users_own(monkeypatch):
    monkeypatch.delenv("TUISIM_HOME", raising=False)
    platformdirs = pytest.importorskip("platformdirs")
    assert folder() == platformdirs.user_data_path("tuisim", appauthor=False)


def test_without_either_there_is_none_and_nothing_can_be_kept(monkeypatch):
    monkeypatch.setenv("TUISIM_HOME", "")
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert folder() is None
    assert runs() == Kept()
    with pytest.raises(DataError, match="TUISIM_HOME"):
        append(RUN)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    for name in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("TUISIM_HOME", str(name))
        with pytest.raises(Unwritable, match="cannot be written") as caught:
            append(RUN)
        assert len(str(caught.value).splitlines()) == 1
        assert caught.value.exit_code is ExitCode.BAD_DATA


# ── documents ──


def test_a_document_comes_back_as_it_was_and_can_be_read_by_people(tmp_path):
    path = tmp_path / "card.json"
    body = {"zeta": 1, "alpha": [1.5, None, "OpenBLAS ×1"], "name": "\udc80"}
    write(path, "card", 3, body)
    assert read(path, "card", 3) == body
    assert list(read(path, "card", 3)) == ["zeta", "alpha", "name"]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[1:3] == [' "kind": "card",', ' "version": 3,']
    assert any("×1" in line for line in lines)


def test_a_document_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "card.json"
    write(path, "card", 1, {"a": 1})

    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(document.os, "fsync", full)
    with pytest.raises(Unwritable, match=r"card\.json cannot be written: No space left"):
        write(path, "card", 1, {"a": 2})
    assert read(path, "card", 1) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["card.json"], "nothing half-written is left behind"


def test_what_no_json_has_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write(tmp_path / "card.json", "card", 1, {"a": float("nan")})
    with pytest.raises(ValueError, match="kind"):
        write(tmp_path / "card.json", "card", 1, {"kind": "mine"})
    assert list(tmp_path.iterdir()) == []


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is not JSON"),
    "cut off": (b'{"kind": "card", "version": 1, "a": [1, 2', "is not JSON"),
    "not UTF-8": (b'{"kind": "card\xff"}', "not UTF-8"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "deep and whole": (b'{"kind": ' + b"[" * 100 + b"]" * 100 + b"}", "nested too deeply"),
    "an array": (b"[1, 2]", "no JSON object"),
    "a number": (b"7", "no JSON object"),
    "of no kind": (b"{}", "of no kind"),
    "of another kind": (b'{"kind": "score\\u001b[2J", "version": 1}', r"is a score\x1b[2J, not a card"),
    "newer": (b'{"kind": "card", "version": 2}', "of version 2, not 1: a newer tuisim"),
    "older": (b'{"kind": "card", "version": 0}', "of version 0, not 1: make it again"),
    "of version true": (b'{"kind": "card", "version": true}', "of version True, not 1"),
    "of no version": (b'{"kind": "card"}', "of version none"),
    "too large": (b" " * (LIMIT + 1), "larger than"),
    "NaN": (b'{"kind": "card", "version": 1, "a": NaN}', "NaN is no number"),
    "beyond a float": (b'{"kind": "card", "version": 1, "a": 1e999}', "1e999 is no number"),
    "a number of 5,000 digits": (b'{"kind": "card", "version": 1, "a": ' + b"9" * 5_000 + b"}", "is not JSON"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_document_is_named_with_what_is_wrong(name, tmp_path):
    data, words = BROKEN[name]
    path = tmp_path / "card.json"
    path.write_bytes(data)
    with pytest.raises(Unreadable) as caught:
        read(path, "card", 1)
    message = str(caught.value)
    assert words in message
    assert "card.json" in message
    assert message.isprintable()


def test_a_file_that_is_none_is_named(tmp_path):
    with pytest.raises(Unreadable, match=r"gone\.json: no such file"):
        read(tmp_path / "gone.json", "card", 1)
    with pytest.raises(Unreadable, match="not a regular file"):
        read(tmp_path, "card", 1)
    with pytest.raises(Unreadable, match="cannot be read"):
        read(Path("card\0.json"), "card", 1)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(Unreadable, match="not a regular file"):
            read(tmp_path / "pipe", "card", 1)


WRITERS = """
import os, sys, time
from pathlib import Path
from tuisim.store import temporary
with temporary.beside(Path(sys.argv[1])) as (made, stream):
    stream.write(b"half")
    stream.flush()
    print(made, flush=True)
    time.sleep(60)
"""


def test_temporary_files_of_killed_writers_go_with_the_next_save_and_those_of_living_ones_stay(tmp_path):
    path = tmp_path / "card.json"
    command = [sys.executable, "-c", WRITERS, str(path)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        killed, living = (Path(writer.stdout.readline().strip()) for writer in writers)
        assert killed.exists()
        assert living.exists()
        writers[0].kill()
        writers[0].wait(10)
        write(path, "card", 1, {"a": 1})
        if sys.platform == "win32":
            assert killed.exists(), "nothing tells whether its writer lives, but its age"
            os.utime(killed, (0, 0))
            write(path, "card", 1, {"a": 1})
        assert not killed.exists()
        assert living.exists()
    finally:
        for writer in writers:
            writer.kill()
            writer.wait(10)
            writer.stdout.close()
    write(path, "card", 1, {"a": 2})
    if sys.platform != "win32":
        assert [one.name for one in tmp_path.iterdir()] == ["card.json"]


def test_without_locks_age_tells_which_temporary_file_is_nobodys(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "taken", lambda file: False)
    old, new = tmp_path / ".tuisim-0.tmp", tmp_path / ".tuisim-1.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    (tmp_path / ".tuisim-2.tmp").mkdir()
    write(tmp_path / "card.json", "card", 1, {"a": 1})
    assert sorted(one.name for one in tmp_path.iterdir()) == [".tuisim-1.tmp", ".tuisim-2.tmp", "card.json"]


def test_many_that_save_at_once_all_save(tmp_path):
    """One removes no temporary file of another."""
    errors: list[Exception] = []

    def save(number: int) -> None:
        try:
            for value in range(30):
                write(tmp_path / f"{number % 2}.json", "card", 1, {"a": value})
        except Exception as error:
            errors.append(error)

    threads = [Thread(target=save, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert [read(tmp_path / f"{number}.json", "card", 1) for number in range(2)] == [{"a": 29}] * 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_mark_of_byte_order_is_no_mistake(tmp_path):
    (tmp_path / "card.json").write_text('{"kind": "card", "version": 1, "a": 1}', encoding="utf-8-sig")
    assert read(tmp_path / "card.json", "card", 1) == {"a": 1}


# ── runs ──


def test_runs_come_back_in_their_order(data):
    other = replace(RUN, machine="another", predicted_wall_seconds=(1.0, 2.0, 2.0))
    append(RUN)
    append(other)
    assert runs() == Kept((RUN, other))
    assert runs("another").runs == (other,)
    assert runs("nobody's").runs == ()
    assert len((data / FILE).read_text().splitlines()) == 2
    append(RUN)
    assert runs().runs == (RUN, other, RUN), "what was read before is read anew where it has grown"


def line(**changes: Any) -> bytes:
    values: dict[str, Any] = {"version": 1, **{name: getattr(RUN, name) for name in Run.__slots__}}
    return json.dumps(values | changes).encode()


WRONG: dict[str, bytes] = {
    "not JSON": b"{half a li",
    "not UTF-8": b"\xff\xfe",
    "no object": b"[1]",
    "deep": b"[" * 100_000,
    "of another version": line(version=2),
    "of version true": line(version=True),
    "more than is known": line(gpu="H200"),
    "less": b'{"version": 1, "when": "2026-02-03T04:05:06+00:00"}',
    "no steps": line(steps=0),
    "half a step": line(steps=1.5),
    "true steps": line(steps=True),
    "no time": line(seconds=0),
    "time that is none": line(seconds="1"),
    "infinite": line(seconds=float("inf")),
    "beyond counting": line(operations_per_step=10**31),
    "beyond a float": line(wall_seconds=10**400),
    "one layer": line(layers=[3]),
    "a layer of nothing": line(layers=[3, 0]),
    "no time of day": line(when="yesterday"),
    "a time of nowhere": line(when="2026-02-03T04:05:06"),
    "a prediction upside down": line(predicted_seconds=[3, 2, 1]),
    "half a prediction": line(predicted_seconds=[1, 2]),
    "a name of a novel's length": line(machine="x" * 10_000),
    "no name": line(machine=""),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_line_that_is_no_run_is_left_out_and_counted(name, data):
    append(RUN)
    with open(data / FILE, "ab") as file:
        file.write(WRONG[name] + b"\n\n")
    append(RUN)
    assert runs() == Kept((RUN, RUN), 1)


def test_a_run_that_would_not_be_read_is_not_written(data):
    for wrong in (replace(RUN, steps=0), replace(RUN, seconds=float("nan")), replace(RUN, layers=())):
        with pytest.raises(ValueError, match=r"\w"):
            append(wrong)
    assert runs() == Kept()


def test_a_line_that_was_broken_off_takes_no_other_with_it(data):
    append(RUN)
    with open(data / FILE, "ab") as file:
        file.write(line()[:40])
    append(RUN)
    assert runs() == Kept((RUN, RUN), 1)


def test_the_oldest_are_dropped_and_the_newest_half_is_always_there(data, monkeypatch):
    one = len(line()) + 1
    monkeypatch.setattr(runs_module, "HALF", 10 * one)
    for number in range(1, 101):
        append(replace(RUN, steps=number))
        kept = [run.steps for run in runs().runs]
        assert kept == list(range(number - len(kept) + 1, number + 1)), "the newest, none of them missing"
        assert len(kept) >= min(number, 10)
        assert sum(path.stat().st_size for path in data.glob("*.jsonl")) <= 22 * one
    assert (data / OLDER).exists()


def _appends(number: int, count: int, half: int) -> None:
    runs_module.HALF = half
    for step in range(1, count + 1):
        append(replace(RUN, threads=number, steps=step))


@pytest.mark.parametrize("half", [2**19, 60_000], ids=["in one file", "while it is renamed"])
def test_two_processes_that_append_at_once_lose_nothing(data, half):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_appends, args=(number, 100, half)) for number in (1, 2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    kept = runs()
    assert kept.skipped == 0
    for number in (1, 2):
        assert [run.steps for run in kept.runs if run.threads == number] == list(range(1, 101))


def test_what_lies_in_the_way_is_one_line(data):
    (data / FILE).mkdir(parents=True)
    with pytest.raises(Unwritable, match="not a regular file"):
        append(RUN)
    with pytest.raises(Unreadable, match="not a regular file"):
        runs()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_one_line(data):
    append(RUN)
    (data / FILE).chmod(0o400)
    data.chmod(0o500)
    try:
        with pytest.raises(Unwritable, match="cannot be written"):
            append(RUN)
        assert runs().runs == (RUN,)
    finally:
        data.chmod(0o700)


def test_a_system_that_refuses_to_write_is_one_line(data, monkeypatch):
    def refused(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(runs_module.os, "open", refused)
    with pytest.raises(Unwritable, match="cannot be written: Permission denied"):
        append(RUN)


def test_a_disk_that_is_full_is_one_line_and_the_next_run_is_kept(data, monkeypatch):
    whole = os.write
    append(RUN)
    with monkeypatch.context() as patch:
        patch.setattr(runs_module.os, "write", lambda file, what: whole(file, what[:30]))
        with pytest.raises(Unwritable, match="only 30 of"):
            append(RUN)
    append(RUN)
    assert runs() == Kept((RUN, RUN), 1)


def test_a_lock_that_another_holds_on_to_does_not_lose_a_run(data, monkeypatch):
    monkeypatch.setattr("tuisim.store.lock.PATIENCE", 0.02)
    monkeypatch.setattr(runs_module, "HALF", 1)
    needed()
    with runs_module.lock.held(data / runs_module.LOCK) as alone:
        assert alone
        append(RUN)
        append(RUN)
        assert not (data / OLDER).exists(), "who is not alone moves nothing away"
    assert runs().runs == (RUN, RUN)


def test_no_run_is_missed_while_the_newer_half_becomes_the_older_one(data, monkeypatch):
    append(RUN)
    append(replace(RUN, steps=7))
    whole, kept = runs().runs, runs_module._kept
    moved: list[Path] = []

    def moving(path: Path) -> Kept:
        found = kept(path)
        if path.name == OLDER and not moved:  # between the reading of the one half and the other
            moved.append(path)
            os.replace(data / FILE, data / OLDER)
        return found

    monkeypatch.setattr(runs_module, "_kept", moving)
    assert runs().runs == whole
    assert moved


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
@pytest.mark.parametrize("kind", ["pipe", "device", "loop"])
@pytest.mark.parametrize("name", [FILE, "runs.lock", OLDER])
def test_a_pipe_a_device_or_a_loop_is_never_waited_for_nor_written_to(data, name, kind):
    data.mkdir()
    if kind == "pipe":
        os.mkfifo(data / name)
    else:
        (data / name).symlink_to("/dev/null" if kind == "device" else name)
    if name != OLDER:
        with pytest.raises(Unwritable, match=name):
            append(RUN)
    if name != "runs.lock":
        with pytest.raises(Unreadable, match=name):
            runs()


def test_a_line_longer_than_any_run_is_left_out_before_it_is_parsed(data, monkeypatch):
    append(RUN)
    with open(data / FILE, "ab") as file:
        file.write(b"[" + b"[]," * 100_000 + b"[]]\n")
    lengths: list[int] = []
    parsed = runs_module.parsed
    monkeypatch.setattr(runs_module, "parsed", lambda text: lengths.append(len(text)) or parsed(text))
    assert runs() == Kept((RUN,), skipped=1)
    assert max(lengths) < 1_000


def test_the_longest_run_is_no_line_too_long(data):
    long = replace(
        RUN, layers=(MAX_COUNT,) * (MAX_WEIGHT_LAYERS + 1), machine="\x7f" * 200, backend="b" * 200, dtype="d" * 200,
        optimizer="o" * 200, loss="l" * 200, ended="e" * 200, operations_per_step=MAX_COUNT, bytes_per_step=MAX_COUNT,
    )  # fmt: skip
    append(long)
    assert runs().runs == (long,)
