"""Roofs per cache level: sizes as systems describe them, ceilings from scripted sweeps, and sweeps of this machine."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tuisim.backends import get_backend
from tuisim.backends.protocol import best_of
from tuisim.measure import roofs
from tuisim.measure.caches import Cache, caches, linux, mac, windows
from tuisim.measure.ceiling import Ceiling, above_words, share_text
from tuisim.measure.peaks import Peaks

KNOWN = (Cache(1, 32 << 10, 8), Cache(2, 1 << 20, 8), Cache(3, 32 << 20, 1))
PEAKS = Peaks("float32", 1, 100e9, 20e9, None, flops_spread=0.02, bytes_spread=0.3)


# ── sizes ──


def sysfs(root: Path, *found: tuple[int, int, str, str, str]) -> Path:
    """Create a folder tree of (cpu, level, type, size, shared_cpu_list)."""
    for number, (cpu, level, kind, size, shared) in enumerate(found):
        folder = root / f"cpu{cpu}" / "cache" / f"index{number}"
        folder.mkdir(parents=True)
        for name, text in (("level", str(level)), ("type", kind), ("size", size), ("shared_cpu_list", shared)):
            if text:
                (folder / name).write_text(f"{text}\n")
    return root


def test_linux_lists_each_data_cache_once(tmp_path):
    root = sysfs(
        tmp_path,
        *((cpu, 1, "Data", "48K", str(cpu)) for cpu in (0, 1)), (0, 1, "Instruction", "64K", "0"),
        *((cpu, 2, "Unified", "2M", str(cpu)) for cpu in (0, 1)), *((cpu, 3, "Unified", "36864K", "0-1") for cpu in (0, 1)),
    )  # fmt: skip
    assert linux(root) == (Cache(1, 48 << 10, 2), Cache(2, 2 << 20, 2), Cache(3, 36 << 20, 1))


def test_caches_that_linux_does_not_describe_are_left_out(tmp_path):
    assert linux(tmp_path / "nowhere") == ()
    root = sysfs(tmp_path, (0, 1, "Data", "32K", ""), (0, 2, "Unified", "", "0"), (0, 3, "Unified", "lots", "0"))
    assert linux(root) == (Cache(1, 32 << 10, 1),)


def test_macos_describes_the_performance_cores():
    silicon = {
        "hw.physicalcpu": 8, "hw.perflevel0.physicalcpu": 4, "hw.l1dcachesize": 65_536, "hw.perflevel0.l1dcachesize": 131_072,
        "hw.perflevel0.l2cachesize": 12 << 20, "hw.perflevel0.cpusperl2": 4, "hw.l2cachesize": 4 << 20,
    }  # fmt: skip
    assert mac(silicon.get) == (Cache(1, 131_072, 4), Cache(2, 12 << 20, 1))
    intel = {"hw.physicalcpu": 6, "hw.l1dcachesize": 32_768, "hw.l2cachesize": 262_144, "hw.l3cachesize": 12 << 20}
    assert mac(intel.get) == (Cache(1, 32_768, 6), Cache(2, 262_144, 6), Cache(3, 12 << 20, 1))
    assert mac({}.get) == ()


def record(level: int, size: int, kind: int, relation: int = 2) -> bytes:
    return struct.pack("<IIBBHII18sH16s", relation, 56, level, 8, 64, size, kind, b"", 1, b"")


def test_windows_lists_records():
    answer = b"".join(
        [record(1, 32 << 10, 2), record(1, 32 << 10, 1), record(2, 512 << 10, 0), record(1, 32 << 10, 2), record(3, 16 << 20, 0),
         record(1, 1, 2, relation=0)]
    )  # fmt: skip
    assert windows(answer) == (Cache(1, 32 << 10, 2), Cache(2, 512 << 10, 1), Cache(3, 16 << 20, 1))
    assert windows(b"") == windows(answer[:19]) == ()
    assert windows(struct.pack("<II", 9, 0) + answer) == (), "a record without a length ends the list"


def test_the_capacity_for_threads_is_limited_by_the_number_of_caches():
    assert [KNOWN[0].capacity(threads) for threads in (1, 4, 100)] == [32 << 10, 128 << 10, 256 << 10]
    assert KNOWN[2].capacity(4) == 32 << 20


# ── ceilings ──


def test_the_working_set_of_dram_exceeds_the_caches_of_all_threads():
    asked: list[int] = []

    def measure(threads: int, working_set: int) -> tuple[float, float]:
        asked.append(threads * working_set)
        return 1e9, 0.1

    many = (Cache(1, 32 << 10, 64), Cache(2, 1 << 20, 64), Cache(3, 32 << 20, 8))
    roofs.level_roofs(many, 64, measure)
    assert asked[-1] >= 2 * many[-1].capacity(64)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_working_set_of_a_level_is_between_its_size_and_that_of_the_previous_level(threads):
    asked: list[tuple[int, int]] = []

    def measure(threads: int, working_set: int) -> tuple[float, float]:
        asked.append((threads, working_set))
        return 1e9 * len(asked), 0.1

    found = roofs.level_roofs(KNOWN, threads, measure)
    assert [(one.level, one.per_second, one.threads, one.holds) for one in found] == [
        *((cache.name, 1e9 * number, threads, cache.capacity(threads)) for number, cache in enumerate(KNOWN, 1)),
        ("DRAM", 4e9, threads, None),
    ]
    assert asked[-1][1] * threads >= 2 * KNOWN[-1].size
    for before, cache, (many, working_set) in zip((None, *KNOWN), KNOWN, asked, strict=False):
        assert many == threads
        assert (before.capacity(threads) if before else 0) < working_set * threads < cache.capacity(threads)


def test_without_sizes_there_are_no_roofs(monkeypatch):
    monkeypatch.setattr(roofs, "caches", lambda: ())
    assert roofs.memory_roofs.__wrapped__(1) == ()
    assert roofs.level_roofs((), 2, roofs.sweep) == ()


def test_roofs_are_measured_for_one_thread_and_for_those_of_products(monkeypatch):
    monkeypatch.setattr(roofs, "memory_roofs", lambda threads: (Ceiling(1.0, 0.0, "", threads, ""),))
    assert [one.threads for one in roofs.roofs_of(get_backend("numpy"), 1)] == [1]
    assert [one.threads for one in roofs.roofs_of(get_backend("numpy"), 3)] == [1, 3]
    assert [one.threads for one in roofs.roofs_of(get_backend("scalar"), 3)] == [1]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("working_set", [4 << 10, 16 << 10, 3 << 20])
def test_a_sweep_returns_a_rate_and_a_spread(threads, working_set, monkeypatch):
    monkeypatch.setattr(roofs, "SECONDS", 0.001)
    rate, spread = roofs.sweep(threads, working_set)
    assert rate > 1e6
    assert spread >= 0


@pytest.mark.parametrize("working_set", [16 << 10, 6 << 20, 40 << 20])
@pytest.mark.parametrize("kernel", [roofs._copy, roofs._add])
def test_a_sweep_stays_within_its_working_set_and_counts_what_it_moves(kernel, working_set):
    touched: list[tuple[roofs.Floats, roofs.Floats]] = []

    def recorded(source: roofs.Floats, target: roofs.Floats) -> tuple[roofs.Call, int]:
        touched.append((source, target))
        return kernel(source, target)

    calls, overhead, moved = roofs._timed(recorded, working_set)
    *pieces, empty = touched
    assert len(pieces) == len(calls)
    passes, length = pieces[0][0].shape
    assert sum(source[0].nbytes for source, _ in pieces) == pytest.approx(working_set / 2, rel=0.25)
    assert length * 4 <= roofs.PIECE_BYTES
    assert empty[0].shape == (passes, 16)
    ends = [np.lib.array_utils.byte_bounds(one) for one in (pieces[0][0], pieces[-1][0], pieces[0][1], pieces[-1][1])]
    assert ends[1][1] <= ends[2][0], "apart from each other"
    rows = passes * (length - 16) * 4
    assert moved == (2 * rows if kernel is roofs._copy else 3 * rows - (passes > 1) * (length - 16) * 4)
    for call in (*calls, overhead):
        call()


def test_caches_grow_by_level():
    found = caches()
    assert [one.level for one in found] == sorted({one.level for one in found})
    assert all(one.size > 1024 and one.instances >= 1 for one in found)


def test_a_ceiling_is_exceeded_only_beyond_its_spread():
    ceiling = PEAKS.products
    assert not ceiling.exceeded_by(101e9)
    assert ceiling.exceeded_by(103e9)
    assert ceiling.share(50e9) == 0.5
    assert "square matrix product, 1 thread, float32, ± 2 %" in above_words(ceiling, "the measured peak")
    assert (share_text(1.034, True), share_text(0.5, False), share_text(None, False)) == ("103.4 % ▲", "50.0 %", "")
    device = Peaks("float32", 8, 1e12, 1e11, None, "a card")
    assert "thread" not in device.products.conditions + device.copies.conditions


def test_slow_repeats_of_a_busy_system_do_not_widen_the_spread():
    assert best_of([10.0, 1.05, 1.0, 1.05, 9.0]) == (1.0, pytest.approx(0.05))
    assert best_of([2.0]) == (2.0, 0.0)
