"""Files in the data folder: documents are whole or reported with what is wrong, and no run is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tuisim.config.choices import MAX_WEIGHT_LAYERS
from tuisim.errors import DataError, ExitCode
from tuisim.store import document
from tuisim.store import runs as runs_module
from tuisim.store.document import LIMIT, Unreadable, Unwritable, read, write
from tuisim.store.folder import create_data_folder, data_folder
from tuisim.store.runs import EARLIER, FILE, Run, StoredRuns, append
from tuisim.store.runs import read as read_runs
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
    assert data_folder() == data
    assert not data.exists()
    assert read_runs() == StoredRuns()
    assert not data.exists(), "reading creates nothing"
    assert create_data_folder() == data
    assert data.is_dir()


def test_without_the_variable_it_is_the_users_own(monkeypatch):
    monkeypatch.delenv("TUISIM_HOME", raising=False)
    platformdirs = pytest.importorskip("platformdirs")
    assert data_folder() == platformdirs.user_data_path("tuisim", appauthor=False)


def test_without_either_there_is_none_and_nothing_can_be_kept(monkeypatch):
    monkeypatch.setenv("TUISIM_HOME", "")
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert data_folder() is None
    assert read_runs() == StoredRuns()
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


def test_values_that_json_does_not_have_are_not_written(tmp_path):
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
    "NaN": (b'{"kind": "card", "version": 1, "a": NaN}', "NaN is not a number"),
    "beyond a float": (b'{"kind": "card", "version": 1, "a": 1e999}', "1e999 is not a number"),
    "a number of 5,000 digits": (b'{"kind": "card", "version": 1, "a": ' + b"9" * 5_000 + b"}", "is not JSON"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_reported_with_what_is_wrong(name, tmp_path):
    data, words = BROKEN[name]
    path = tmp_path / "card.json"
    path.write_bytes(data)
    with pytest.raises(Unreadable) as caught:
        read(path, "card", 1)
    message = str(caught.value)
    assert words in message
    assert "card.json" in message
    assert message.isprintable()


def test_a_missing_or_special_file_is_reported(tmp_path):
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


def test_old_temporary_files_are_removed_by_the_next_write(tmp_path):
    old, new, folder = (tmp_path / f".tuisim-{number}.tmp" for number in range(3))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    folder.mkdir()
    write(tmp_path / "card.json", "card", 1, {"a": 1})
    assert sorted(one.name for one in tmp_path.iterdir()) == [".tuisim-1.tmp", ".tuisim-2.tmp", "card.json"]


def test_concurrent_writers_all_succeed(tmp_path):
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


def test_a_byte_order_mark_is_accepted(tmp_path):
    (tmp_path / "card.json").write_text('{"kind": "card", "version": 1, "a": 1}', encoding="utf-8-sig")
    assert read(tmp_path / "card.json", "card", 1) == {"a": 1}


# ── runs ──


def test_runs_are_read_in_their_order(data):
    other = replace(RUN, machine="another", predicted_wall_seconds=(1.0, 2.0, 2.0))
    append(RUN)
    append(other)
    assert read_runs().runs == (RUN, other)
    append(RUN)
    assert read_runs().runs == (RUN, other, RUN)
    assert [one.name for one in data.iterdir()] == [FILE]


def line(**changes: Any) -> str:
    values: dict[str, Any] = {"version": 1, **{name: getattr(RUN, name) for name in Run.__slots__}}
    return json.dumps(values | changes)


WRONG: dict[str, str] = {
    "not JSON": "{half a li",
    "not UTF-8": "\udcff\udcfe",
    "no object": "[1]",
    "deep": "[" * 100_000,
    "longer than any run": "[" + "[]," * 100_000 + "[]]",
    "of another version": line(version=2),
    "of version true": line(version=True),
    "more than is known": line(gpu="H200"),
    "less": '{"version": 1, "when": "2026-02-03T04:05:06+00:00"}',
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
def test_a_line_of_an_earlier_file_that_is_no_run_is_skipped_and_counted(name, data):
    data.mkdir()
    text = "\n".join([line(), WRONG[name], "", line(steps=7)]) + "\n" + line()[:40]
    (data / EARLIER[1]).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_runs() == StoredRuns((RUN, replace(RUN, steps=7)), 2)


def test_a_row_that_is_no_run_is_skipped_and_counted(data):
    append(RUN)
    with closing(sqlite3.connect(data / FILE)) as database:
        for wrong in ("{half a li", line(steps=0), b"\xff", "NULL", 7):
            database.execute("INSERT INTO runs (machine, run) VALUES ('m', ?)", (wrong,))
        database.commit()
    append(RUN)
    assert read_runs() == StoredRuns((RUN, RUN), 5)


def test_a_run_that_would_not_be_read_is_not_written(data):
    for wrong in (replace(RUN, steps=0), replace(RUN, seconds=float("nan")), replace(RUN, layers=())):
        with pytest.raises(ValueError, match=r"\w"):
            append(wrong)
    assert read_runs() == StoredRuns()


def test_earlier_files_are_imported_once_and_renamed(data):
    data.mkdir()
    older, newer = (data / name for name in EARLIER)
    older.write_text(line(steps=1) + "\n" + line(steps=2) + "\n")
    newer.write_text(line(steps=3) + "\n{broken\n")
    assert [run.steps for run in read_runs().runs] == [1, 2, 3]
    assert sorted(one.name for one in data.iterdir()) == sorted(EARLIER), "reading creates nothing"
    append(replace(RUN, steps=4))
    assert [run.steps for run in read_runs().runs] == [1, 2, 3, 4]
    assert not older.exists()
    assert (data / f"{newer.name}.imported").read_text().startswith(line(steps=3))
    (data / f"{newer.name}.imported").rename(newer)  # as if the process had been killed before it renamed them
    append(replace(RUN, steps=5))
    assert [run.steps for run in read_runs().runs] == [1, 2, 3, 4, 5]
    assert not newer.exists()


def test_an_earlier_file_that_cannot_be_read_does_not_stop_a_run_from_being_kept(data):
    (data / EARLIER[1]).mkdir(parents=True)
    assert read_runs() == StoredRuns()
    append(RUN)
    assert read_runs().runs == (RUN,)


def test_the_oldest_runs_are_dropped(data, monkeypatch):
    monkeypatch.setattr(runs_module, "MAX_RUNS", 10)
    for number in range(1, 31):
        append(replace(RUN, steps=number))
        assert [run.steps for run in read_runs().runs] == list(range(max(1, number - 9), number + 1))


def _append_many(number: int, count: int) -> None:
    for step in range(1, count + 1):
        append(replace(RUN, threads=number, steps=step))


def test_processes_that_append_at_once_lose_nothing(data):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_append_many, args=(number, 40)) for number in (1, 2, 3)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    kept = read_runs().runs
    for number in (1, 2, 3):
        assert [run.steps for run in kept if run.threads == number] == list(range(1, 41))


KILLED = """
import sqlite3, sys, os, signal
from tuisim.store import runs
from tuisim.store.document import Unwritable
with runs._database(runs.create_data_folder() / runs.FILE, Unwritable) as database:
    database.execute("PRAGMA cache_size = 1")  # so that pages are written before the commit
    database.execute("BEGIN IMMEDIATE")
    for number in range(2000):
        database.execute("INSERT INTO runs (machine, run) VALUES ('m', ?)", ("x" * 500,))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_what_a_killed_process_left_is_rolled_back(data):
    append(RUN)
    assert subprocess.run([sys.executable, "-c", KILLED], check=False, timeout=60).returncode == -signal.SIGKILL
    assert (data / f"{FILE}-journal").exists()
    assert read_runs().runs == (RUN,)
    append(RUN)
    assert read_runs().runs == (RUN, RUN)


def test_a_database_without_its_table_has_no_runs(data):
    data.mkdir()
    (data / FILE).touch()  # killed before its first append ended
    assert read_runs() == StoredRuns()
    append(RUN)
    assert read_runs().runs == (RUN,)


def test_a_file_that_is_no_database_is_one_line(data):
    data.mkdir()
    (data / FILE).write_text("no database\n" * 100)
    with pytest.raises(Unwritable, match=r"runs\.sqlite3 cannot be written: file is not a database"):
        append(RUN)
    with pytest.raises(Unreadable, match=r"runs\.sqlite3 cannot be read: file is not a database"):
        read_runs()


def test_a_database_that_stays_locked_is_one_line(data, monkeypatch):
    append(RUN)
    monkeypatch.setattr(runs_module, "PATIENCE", 0.01)
    with closing(sqlite3.connect(data / FILE, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unwritable, match="cannot be written: database is locked"):
            append(RUN)
        assert read_runs().runs == (RUN,)


def test_a_python_without_sqlite_is_one_line(data, monkeypatch):
    append(RUN)
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(Unwritable, match="no sqlite3"):
        append(RUN)
    with pytest.raises(Unreadable, match="no sqlite3"):
        read_runs()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_one_line(data):
    append(RUN)
    (data / FILE).chmod(0o400)
    data.chmod(0o500)
    try:
        with pytest.raises(Unwritable, match="cannot be written"):
            append(RUN)
        assert read_runs().runs == (RUN,)
    finally:
        data.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder"])
@pytest.mark.parametrize("name", [FILE, f"{FILE}-journal"])
def test_a_pipe_a_device_or_a_loop_is_never_waited_for_nor_written_to(data, name, kind):
    if name != FILE:
        append(RUN)
    data.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(data / name)
    elif kind == "folder":
        (data / name).mkdir()
    else:
        (data / name).symlink_to("/dev/null" if kind == "device" else name)
    with pytest.raises(Unwritable, match=FILE):
        append(RUN)
    with pytest.raises(Unreadable, match=FILE):
        read_runs()


def test_the_longest_run_can_be_kept(data):
    long = replace(
        RUN, layers=(MAX_COUNT,) * (MAX_WEIGHT_LAYERS + 1), machine="\x7f" * 200, backend="b" * 200, dtype="d" * 200,
        optimizer="o" * 200, loss="l" * 200, ended="e" * 200, operations_per_step=MAX_COUNT, bytes_per_step=MAX_COUNT,
    )  # fmt: skip
    append(long)
    assert read_runs().runs == (long,)
