"""Machine profiles on disk: a written one is read again; a broken, old or foreign one is named and not used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.support.made_machine_profile import ELSEWHERE, entry, machine_profile
from tuisim.errors import ConfigError, DataError
from tuisim.predict import profiles
from tuisim.predict.machine import this_machine
from tuisim.predict.profile import VERSION, MachineProfile, ProfileError, ProfileKey
from tuisim.store import lock
from tuisim.store.document import Unwritable

PRICES = entry().prices
POINTED = replace(entry(), prices=replace(PRICES, kinds={**PRICES.kinds, "dense": {"call": 1.5e-6}}, largest=60))


def test_a_profile_is_read_as_it_was_written():
    made = machine_profile(POINTED, entry("numba", 2, "float64"))
    profiles.keep(made)
    found = profiles.own()
    assert found.profile == made
    assert found.trouble == ""


def test_the_file_names_its_kind_and_version(own_folder):
    path = profiles.keep(machine_profile(POINTED)).path
    assert path == own_folder / "card.json"
    document = json.loads(path.read_text())
    assert (document["kind"], document["version"]) == ("machine card", VERSION)
    assert document["entries"]["numpy@1 float32"]["prices"]["kinds"]["dense"] == {"call": 1.5e-6}


def test_no_profile_is_no_trouble():
    assert profiles.own() == profiles.OwnProfile(None)


def test_an_outdated_profile_names_what_changed():
    profiles.keep(machine_profile(machine=replace(this_machine(), blas="OpenBLAS 0.1 Prescott")))
    found = profiles.own()
    assert found.profile is None
    assert "blas was OpenBLAS 0.1 Prescott, is " in found.trouble
    assert "run tuisim calibrate" in found.trouble


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"kind":"machine card","version":3}', "\x00\xff", '{"kind":"machine card","version":9}']
)
def test_a_broken_profile_is_named_and_ignored(own_folder, text):
    (own_folder / "card.json").write_text(text, encoding="latin-1")
    found = profiles.own()
    assert found.profile is None
    assert "card.json" in found.trouble
    assert "\n" not in found.trouble
    assert "tuisim calibrate" in found.trouble


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [path, *(leaf for key, one in value.items() for leaf in leaves(one, (*path, key)))]
    if isinstance(value, list):
        return [path, *(leaf for key, one in enumerate(value) for leaf in leaves(one, (*path, key)))]
    return [path]


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = json.loads(json.dumps(document))
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize("value", [None, True, -1, "nonsense", [], {}, 1e400, [None], "\x1b[2J"])
def test_a_wrong_value_anywhere_is_refused_in_one_line_or_harmless(value):
    body = machine_profile(POINTED).to_dict()
    refused: list[str] = []
    for path in leaves(body)[1:]:
        try:
            MachineProfile.from_dict(with_value(body, path, value))
        except ProfileError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert [words for words in refused if not words.isprintable()] == []


def test_a_missing_value_is_named():
    body = machine_profile(POINTED).to_dict()
    del body["entries"]["numpy@1 float32"]["run"]["row"]
    with pytest.raises(ProfileError, match=r"entries\.numpy@1 float32\.run\.row: missing"):
        MachineProfile.from_dict(body)


def test_a_new_entry_replaces_the_old_one():
    made = machine_profile(entry(), entry("numba"))
    again = made.with_entry(replace(entry(), networks=5))
    assert [one.key for one in again.entries] == ["numba@1 float32", "numpy@1 float32"]
    assert again.entry(ProfileKey("numpy", 1, "float32")).networks == 5


# ── others' ──


def test_a_profile_is_exported_and_imported(tmp_path):
    profiles.keep(machine_profile())
    profiles.export(tmp_path / "mine.json")
    place = profiles.take(tmp_path / "mine.json", "lab")
    assert place.stem == "lab"
    assert profiles.named("lab") == machine_profile()
    assert profiles.named(str(tmp_path / "mine.json")) == machine_profile()
    assert set(profiles.others()) == {"lab"}


def test_a_profile_of_another_machine_is_never_used_as_this_machines(tmp_path):
    profiles.keep(machine_profile(machine=ELSEWHERE))
    assert profiles.own().profile is None
    assert "Abacus 9000" in profiles.own().trouble


def test_an_export_without_a_profile_has_a_remedy(tmp_path):
    with pytest.raises(DataError, match="no machine profile yet: run tuisim calibrate"):
        profiles.export(tmp_path / "mine.json")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "x" * 41, ".hidden", "a b", "\x1b[2J"])
def test_a_name_that_could_leave_its_folder_is_refused(tmp_path, name):
    profiles.keep(machine_profile())
    profiles.export(tmp_path / "mine.json")
    with pytest.raises(ConfigError, match="letters, digits, dots, dashes"):
        profiles.take(tmp_path / "mine.json", name)


def test_a_broken_imported_profile_is_left_out_and_named_on_request(tmp_path, own_folder):
    (own_folder / "cards").mkdir()
    (own_folder / "cards" / "bad.json").write_text("{")
    assert profiles.others() == {}
    with pytest.raises(DataError, match=r"bad\.json"):
        profiles.named("bad")
    with pytest.raises(DataError, match="machine = nobody: no profile of that name"):
        profiles.named("nobody")


def test_the_stamp_changes_with_any_profile(own_folder):
    before = profiles.stamp()
    profiles.keep(machine_profile())
    one = profiles.stamp()
    profiles.take(own_folder / "card.json", "lab")
    assert before == ()
    assert len({before, one, profiles.stamp()}) == 3


def test_the_document_for_programs_has_the_entries_in_a_list():
    found = machine_profile(POINTED).document()
    assert [one["key"] for one in found["entries"]] == ["numpy@1 float32"]
    assert found["machine"]["processor"] == this_machine().processor


def test_a_machine_is_the_same_while_nothing_changes():
    assert this_machine().id == replace(this_machine()).id
    assert this_machine().id != replace(this_machine(), numpy="1.0").id
    assert len(ELSEWHERE.id) == 8
    assert str(ELSEWHERE) == "Abacus 9000, BeadBLAS 1.0 Oak"
    assert str(Path("card.json")) not in str(ELSEWHERE)


# ── a machine that is another for a while ──


def test_a_profile_is_found_again_once_the_machine_is_as_it_was(monkeypatch):
    """Another BLAS kernel was pinned for a while, and a quick profile was measured then."""
    long, now = machine_profile(POINTED), this_machine()
    profiles.keep(long)
    pinned = replace(now, pinned_by="BLAS_KERNEL=Oak")
    monkeypatch.setattr(profiles, "this_machine", lambda: pinned)
    assert "is BLAS_KERNEL=Oak" in profiles.own().trouble
    quick = machine_profile(entry(), machine=pinned)
    profiles.keep(quick)
    assert profiles.own().profile == quick
    monkeypatch.setattr(profiles, "this_machine", lambda: now)
    assert profiles.own() == profiles.OwnProfile(long)


def test_a_profile_in_an_unreadable_folder_is_no_profile(monkeypatch):
    monkeypatch.setenv("TUISIM_HOME", "/tmp/" + "x" * 5_000)
    assert profiles.own().profile is None
    assert profiles.others() == {}


@pytest.mark.parametrize("place", [("run", "row"), ("prices", "largest")])
def test_an_integer_beyond_every_float_is_refused(place):
    document = machine_profile(POINTED).to_dict()
    first, second = place
    document["entries"]["numpy@1 float32"][first][second] = 10**400
    with pytest.raises(ProfileError, match=second):
        MachineProfile.from_dict(document)


# ── values that cannot have been measured ──


def changed(**prices: Any) -> dict[str, Any]:
    body = machine_profile(POINTED).to_dict()
    body["entries"]["numpy@1 float32"]["prices"] |= prices
    return body


@pytest.mark.parametrize(
    ("prices", "named"),
    [
        ({"kinds": {}}, "dense: missing"),
        ({"errors": [1e308] * 21}, "errors"),
        ({"errors": [-800.0, 800.0]}, "errors"),
        ({"errors": [10**400]}, "errors"),
        ({"largest": 1e30}, "largest = 1e+30"),
    ],
)
def test_impossible_prices_are_refused(prices, named):
    with pytest.raises(ProfileError, match=named.replace("+", r"\+")):
        MachineProfile.from_dict(changed(**prices))


@pytest.mark.parametrize(
    ("name", "price", "named"),
    [
        ("dense", {}, "no cost above 0"),
        ("dense", {"call": 0.0}, "no cost above 0"),
        ("dense", {"weather": 1e-6}, "not a term"),
        ("wishing", {"call": 1e-6}, "not a kind of operation"),
        ("dense", {"call": 1e300}, r"call = 1e\+300"),
    ],
)
def test_an_impossible_price_is_refused(name, price, named):
    body = machine_profile(POINTED).to_dict()
    body["entries"]["numpy@1 float32"]["prices"]["kinds"][name] = price
    with pytest.raises(ProfileError, match=named):
        MachineProfile.from_dict(body)


def test_entries_measured_by_another_process_meanwhile_are_kept(own_folder):
    profiles.keep(machine_profile(entry("numba")))
    profiles.keep(machine_profile(entry("numpy")))
    found = profiles.own().profile
    assert found is not None
    assert {one.backend for one in found.entries} == {"numba", "numpy"}
    newer = replace(entry("numpy"), made="2026-02-02T03:04:05+00:00", networks=7)
    profiles.keep(machine_profile(newer))
    profiles.keep(machine_profile(entry("numpy")))
    found = profiles.own().profile
    assert found is not None
    assert found.entry(ProfileKey("numpy", 1, "float32")).networks == 7, "an older measurement does not take a newer one's place"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path, own_folder):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    profiles.keep(machine_profile())
    reader = Thread(target=lambda: read.append(pipe.read_bytes()))
    read: list[bytes] = []
    reader.start()
    profiles.export(pipe)
    reader.join(10)
    assert pipe.is_fifo()
    assert json.loads(read[0])["kind"] == "machine card"


def test_keeping_returns_the_profile_as_it_is_on_disk(own_folder):
    profiles.keep(machine_profile(entry("numba")))
    kept = profiles.keep(machine_profile(entry("numpy")))
    assert {one.backend for one in kept.profile.entries} == {"numba", "numpy"}
    assert profiles.own() == profiles.OwnProfile(kept.profile)
    assert (kept.path, kept.stamp) == (own_folder / "card.json", profiles.stamp())


def test_a_profile_of_another_version_is_put_aside(own_folder, monkeypatch):
    newer = machine_profile(POINTED)
    profiles.document.write(own_folder / "card.json", "machine card", VERSION + 1, newer.to_dict())
    assert "a newer tuisim wrote it" in profiles.own().trouble
    profiles.keep(machine_profile(entry("numba")))
    assert profiles.own() == profiles.OwnProfile(machine_profile(entry("numba")))
    monkeypatch.setattr(profiles, "VERSION", VERSION + 1)
    assert profiles.own() == profiles.OwnProfile(newer)


def test_a_profile_of_another_version_with_nothing_put_aside_is_named(own_folder):
    profiles.document.write(own_folder / "card.json", "machine card", VERSION - 1, machine_profile().to_dict())
    assert "run tuisim calibrate" in profiles.own().trouble
    profiles.document.write(own_folder / "card.json", "machine card", "next", machine_profile().to_dict())
    assert "of version next" in profiles.own().trouble
    profiles.keep(machine_profile())
    assert profiles.own() == profiles.OwnProfile(machine_profile())


def test_keeping_a_profile_waits_for_another_writer(own_folder):
    """Longer than a line of runs does: what is measured in 20 s is worth it."""
    path, order = own_folder / profiles.LOCK, []
    held = Event()

    def hold() -> None:
        with lock.held(path):
            held.set()
            time.sleep(1.5 * lock.PATIENCE)
            profiles.document.write(own_folder / "card.json", "machine card", VERSION, machine_profile(entry("numba")).to_dict())
            order.append("theirs")

    other = Thread(target=hold)
    other.start()
    held.wait(10)
    kept = profiles.keep(machine_profile(entry("numpy")))
    order.append("ours")
    other.join(10)
    assert order == ["theirs", "ours"]
    assert {one.backend for one in kept.profile.entries} == {"numba", "numpy"}


def test_an_export_follows_a_link_and_keeps_it(tmp_path, own_folder):
    profiles.keep(machine_profile())
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "folder" / "there.json")
    for _ in range(2):  # one that leads nowhere yet, and one to a file
        profiles.export(link)
        assert link.is_symlink()
        assert json.loads((tmp_path / "folder" / "there.json").read_text())["kind"] == "machine card"


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout here")
@pytest.mark.parametrize("number", [1, 2])
def test_an_export_to_an_output_is_written_at_its_position(tmp_path, number):
    """Into a file behind what is there already, and into a pipe; a link of the system's is not replaced."""
    name = f"/dev/{('stdout', 'stderr')[number - 1]}"
    code = f"from pathlib import Path; from tuisim.store import document; print('before', file=__import__('sys').std{name[8:]}); "
    code += f"document.send(Path({name!r}), b'between\\n'); print('after', file=__import__('sys').std{name[8:]})"
    with open(tmp_path / "out", "wb") as file:
        streams = {("stdout", "stderr")[number - 1]: file}
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60, **streams)
    assert (tmp_path / "out").read_text().split() == ["before", "between", "after"]
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)
    assert (done.stdout, done.stderr)[number - 1].decode().split() == ["before", "between", "after"]
    assert Path("/dev/stdout").is_symlink()


def test_an_entry_dated_in_the_future_does_not_replace_a_measured_one():
    """The clock was wrong once; else no calibration would be kept before that day."""
    profiles.keep(machine_profile(replace(entry(), made="2131-01-02T03:04:05", networks=7)))
    kept = profiles.keep(machine_profile(entry())).profile
    assert [one.networks for one in kept.entries] == [80]
    newer = replace(entry(), made="2026-01-02T02:04:06-01:00", networks=9)
    profiles.keep(machine_profile(newer))
    assert profiles.keep(machine_profile(entry())).profile.entries == (newer,), "a second later, elsewhere on the globe"


def test_entries_from_before_another_environments_profile_are_kept(monkeypatch):
    now, other = this_machine(), replace(this_machine(), numpy="1.0.0")
    profiles.keep(machine_profile(entry("numba")))
    monkeypatch.setattr(profiles, "this_machine", lambda: other)
    profiles.keep(machine_profile(entry("scalar", 1, "float64"), machine=other))
    monkeypatch.setattr(profiles, "this_machine", lambda: now)
    profiles.keep(machine_profile(entry("numpy")))
    found = profiles.own().profile
    assert found is not None
    assert {one.backend for one in found.entries} == {"numba", "numpy"}


def test_a_profile_put_aside_is_found_despite_one_of_another_version(own_folder, monkeypatch):
    profiles.keep(machine_profile(entry("numba")))
    other = replace(this_machine(), numpy="1.0.0")
    now = this_machine()
    monkeypatch.setattr(profiles, "this_machine", lambda: other)
    profiles.keep(machine_profile(machine=other))
    monkeypatch.setattr(profiles, "this_machine", lambda: now)
    profiles.document.write(own_folder / "card.json", "machine card", VERSION + 1, machine_profile().to_dict())
    assert profiles.own() == profiles.OwnProfile(machine_profile(entry("numba")))


@pytest.mark.parametrize(("name", "value"), [("threads", 2_000), ("backend", "torch"), ("dtype", "float8")])
def test_an_entry_with_an_unknown_backend_thread_count_or_dtype_is_refused(name, value):
    body = machine_profile().to_dict()
    body["entries"]["numpy@1 float32"][name] = value
    with pytest.raises(ProfileError, match=f"{name} = .*{value}"):
        MachineProfile.from_dict(body)


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes")
def test_a_written_file_has_the_usual_permissions(tmp_path):
    path = tmp_path / ("x" * 250 + ".json")
    before = os.umask(0o027)
    try:
        profiles.keep(machine_profile())
        profiles.export(path)
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o664)
        profiles.export(path)
        assert path.stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)
    assert [one.name for one in tmp_path.glob("*.tmp")] == []


def test_a_profile_replaces_a_link_and_its_target_stays(own_folder, tmp_path, monkeypatch):
    now, other = this_machine(), replace(this_machine(), numpy="1.0.0")
    profiles.document.write(tmp_path / "card.json", "machine card", VERSION, machine_profile(entry("numba")).to_dict())
    before = (tmp_path / "card.json").read_bytes()
    (own_folder / "card.json").symlink_to(tmp_path / "card.json")
    assert profiles.own() == profiles.OwnProfile(machine_profile(entry("numba")))
    monkeypatch.setattr(profiles, "this_machine", lambda: other)
    profiles.keep(machine_profile(machine=other))
    assert (tmp_path / "card.json").read_bytes() == before
    assert not (own_folder / "card.json").is_symlink()
    monkeypatch.setattr(profiles, "this_machine", lambda: now)
    assert profiles.own() == profiles.OwnProfile(machine_profile(entry("numba"))), "what it led to was put aside"


def in_the_way(path: Path, kind: str) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/null", "loop": path.name, "nowhere": path.parent / "nowhere"}[kind])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
@pytest.mark.parametrize("kind", ["device", "loop", "nowhere"])
def test_a_link_at_the_profiles_path_is_replaced(own_folder, kind):
    in_the_way(own_folder / "card.json", kind)
    profiles.check_keeping()
    profiles.keep(machine_profile())
    assert profiles.own() == profiles.OwnProfile(machine_profile())
    assert Path("/dev/null").is_char_device()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
@pytest.mark.parametrize(
    ("name", "kind"),
    [("card.json", "pipe"), ("card.json", "folder"), ("card.lock", "pipe"), ("card.lock", "device"), ("card.lock", "loop"),
     ("card.lock", "folder")],
)  # fmt: skip
def test_special_files_at_the_profiles_path_are_refused_without_waiting(own_folder, name, kind):
    in_the_way(own_folder / name, kind)
    for refused in (profiles.check_keeping, lambda: profiles.keep(machine_profile())):
        with pytest.raises(Unwritable, match=name):
            refused()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "nowhere", "folder"])
def test_special_files_are_named_and_not_read(own_folder, kind):
    in_the_way(own_folder / "card.json", kind)
    found = profiles.own()
    assert found.profile is None
    assert "card.json" in found.trouble
    with pytest.raises(DataError):
        profiles.named(str(own_folder / "card.json"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
def test_a_pipe_that_nobody_reads_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles.document, "PATIENCE", 0.05)
    profiles.keep(machine_profile())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unwritable, match="nothing reads from it"):
        profiles.export(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(Unwritable, match="nothing reads from it"):
            profiles.document.send(tmp_path / "pipe", b"x" * 2**20)
    finally:
        os.close(reader)


@pytest.mark.parametrize("version", [10**300, -1, 1.5, True, None, "3"])
def test_a_profile_of_an_impossible_version_is_replaced(own_folder, version):
    profiles.document.write(own_folder / "card.json", "machine card", version, machine_profile(entry("numba")).to_dict())
    profiles.keep(machine_profile())
    assert profiles.own() == profiles.OwnProfile(machine_profile())
    assert not (own_folder / "earlier").exists()


def test_fitted_prices_are_projected_and_timed_figures_are_measured():
    marks = machine_profile().document()["marks"]
    assert (marks["entries[].prices"], marks["entries[].evaluation"], marks["entries[]"]) == (
        "projected",
        "projected",
        "measured",
    )


def test_a_profile_with_many_entries_can_be_read_again(own_folder):
    entries = [replace(entry(), threads=threads) for threads in range(1, 65)]
    profiles.keep(machine_profile(*entries))
    assert (own_folder / "card.json").stat().st_size > 2**17
    assert len(profiles.own().profile.entries) == 64
