"""Presets of the user: saved as TOML, deleted, restored; a damaged file is named and the others are read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuisim.config import RunConfig
from tuisim.store.document import Unwritable
from tuisim.store.presets import delete_preset, name_mistake, own_presets, restore_preset, save_preset

CONFIG = RunConfig(layers=(64, 20, 10), dataset="digits", optimizer="adam", learning_rate=0.003, epochs=None, seed=5)


def test_a_preset_is_saved_replaced_deleted_and_restored(own_folder: Path) -> None:
    assert own_presets() == ()
    save_preset("my digits", CONFIG)
    save_preset("a first", RunConfig(layers=("auto", 8, "auto")))
    assert [(one.name, one.problem) for one in own_presets()] == [("a first", ""), ("my digits", "")]
    saved = own_presets()[1]
    assert saved.config == CONFIG
    save_preset("my digits", RunConfig())
    assert own_presets()[1].config == RunConfig()
    restore_preset(saved)
    assert own_presets()[1].config == CONFIG
    delete_preset(saved)
    assert [one.name for one in own_presets()] == ["a first"]
    restore_preset(saved)
    assert own_presets()[1].config == CONFIG


def test_a_preset_is_a_file_for_config(own_folder: Path) -> None:
    path = save_preset("mine", CONFIG).path
    assert path == own_folder / "presets" / "mine.toml"
    done = subprocess.run(
        [sys.executable, "-m", "tuisim", "count", "--config", str(path)], check=True, capture_output=True, text=True, timeout=60
    )
    assert "64-20-10" in done.stdout


def test_a_damaged_file_is_named_with_the_reason_and_the_others_are_read(own_folder: Path) -> None:
    save_preset("good", CONFIG)
    folder = own_folder / "presets"
    for name, content in {
        "broken": b"layers = ",
        "wrong": b'layers = "64-10"\nbatch_size = "many"\n',
        "unknown": b"layres = 3\n",
        "control": b'layers = "3-2"\ndataset = "a\\u001b[2J.csv"\n',
        "bytes": bytes(range(256)),
        "large": b"# " + b"x" * 300_000,
        "empty": b"",
    }.items():
        (folder / f"{name}.toml").write_bytes(content)
    (folder / "folder.toml").mkdir()
    (folder / ".hidden.toml").write_text("")
    (folder / "note.txt").write_text("")
    found = {one.name: one for one in own_presets()}
    assert list(found) == sorted(["broken", "wrong", "unknown", "control", "bytes", "large", "empty", "folder", "good"])
    for name, reason in {
        "broken": "not TOML", "wrong": "batch_size", "unknown": "layers", "control": "cannot be printed", "bytes": "not TOML",
        "large": "larger than", "folder": "not a regular file",
    }.items():  # fmt: skip
        assert found[name].config is None
        assert reason in found[name].problem, found[name].problem
        assert found[name].problem.isprintable()
    assert found["empty"].config == RunConfig()
    assert found["good"].config == CONFIG
    for one in found.values():
        delete_preset(one)
    assert own_presets() == ()


@pytest.mark.parametrize("name", ["", ".", "../up", "a/b", "a\\b", "x" * 25, "digits", "DIGITS", "a\n", " a", "-x", "a.", "\x1b"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    assert name_mistake(name)


@pytest.mark.parametrize("name", ["a", "my digits 2", "v1.2", "Größe", "adam+cosine", "_x"])
def test_other_names_are_taken(name: str, own_folder: Path) -> None:
    assert name_mistake(name) == ""
    save_preset(name, CONFIG)
    assert [one.name for one in own_presets()] == [name]


def test_without_a_folder_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUISIM_HOME", os.devnull)
    assert own_presets() == ()
    with pytest.raises(Unwritable, match="set TUISIM_HOME to another folder"):
        save_preset("mine", CONFIG)
