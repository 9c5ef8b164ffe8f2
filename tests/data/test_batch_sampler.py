"""Blocks, orders, passes and chunks: every epoch has its volume, batches are full but the last, and streams are repeatable."""

from __future__ import annotations

import sys
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuisim import data
from tuisim.config import RunConfig
from tuisim.data import batch_sampler, memory, rng
from tuisim.data.batch_sampler import BatchSampler, ResidentRows, ResidentSampler, walk
from tuisim.errors import MemoryNeeded


def config(**fields: Any) -> RunConfig:
    return RunConfig(**{"layers": (2, 3), "dataset": "spirals", **fields})


def arrays(rows: int, **fields: Any) -> data.Dataset:
    """Rows that carry their own number, so that an order can be read off them."""
    X = np.stack([np.arange(rows), np.zeros(rows)], axis=1)
    return data.from_arrays(config(validation=0, dtype="float64", **fields), X, np.arange(rows) % 3)


def epoch(sampler: BatchSampler, batch_size: int) -> np.ndarray:
    """One epoch's inputs in order, its blocks checked on the way."""
    parts = []
    while True:
        block = sampler.next_block()
        assert len(block.order) > 0
        assert block.ends_epoch or len(block.order) % batch_size == 0
        assert block.order.dtype == np.intp
        assert block.X.flags.c_contiguous
        assert block.Y.flags.c_contiguous
        assert len(block.X) == len(block.Y)
        parts.append(block.X[block.order])
        if block.ends_epoch:
            return np.concatenate(parts)


def resident(rows: int) -> ResidentRows:
    numbers = np.arange(rows, dtype=np.float64)
    return ResidentRows(numbers[:, None], numbers[:, None])


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(1, 40),
    volume=st.integers(1, 300),
    batch=st.integers(1, 400),
    shuffle=st.booleans(),
    block=st.sampled_from([1, 16, 100]),
    whole=st.sampled_from([10, 10**7]),
)
def test_resident_rows_are_used_evenly(rows: int, volume: int, batch: int, shuffle: bool, block: int, whole: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_sampler, "BLOCK", block)
        patch.setattr(batch_sampler, "WHOLE_SHUFFLE", whole)
        sampler = ResidentSampler(resident(min(rows, volume)), volume, batch, rng.generator(1, rng.SHUFFLE) if shuffle else None)
        for _ in range(3):
            seen = epoch(sampler, batch)[:, 0]
            assert len(seen) == volume
            times = np.bincount(seen.astype(int), minlength=min(rows, volume))
            assert times.max() - times.min() <= 1
            if not shuffle:
                assert (seen == np.arange(volume) % min(rows, volume)).all()


@settings(max_examples=40, deadline=None)
@given(volume=st.integers(1, 300), one=st.integers(1, 400), other=st.integers(1, 400))
def test_the_sequence_of_rows_does_not_depend_on_the_batch_size(volume: int, one: int, other: int) -> None:
    first, second = (arrays(97, examples=volume).batch_sampler(batch) for batch in (one, other))
    for _ in range(2):
        assert (epoch(first, one) == epoch(second, other)).all()


def test_a_small_dataset_is_one_block_per_epoch_in_a_new_order_each_time() -> None:
    sampler = arrays(100).batch_sampler(32)
    first, second = sampler.next_block(), sampler.next_block()
    assert first.ends_epoch
    assert second.ends_epoch
    assert first.X is second.X
    assert not sampler.generates
    assert sorted(first.order) == sorted(second.order) == list(range(100))
    assert (first.order != second.order).any()


def test_each_sampler_starts_at_the_first_epoch() -> None:
    dataset = arrays(50)
    assert (epoch(dataset.batch_sampler(8), 8) == epoch(dataset.batch_sampler(8), 8)).all()


def test_without_shuffle_rows_come_as_given() -> None:
    sampler = arrays(10, shuffle=False).batch_sampler(3)
    assert epoch(sampler, 3)[:, 0].tolist() == epoch(sampler, 3)[:, 0].tolist() == list(range(10))


def test_shuffle_stream_is_the_seed_alone() -> None:
    base = config(seed=5)
    same = replace(base, batch_size=7, initializer="zeros", optimizer="adam")
    other = replace(base, seed=6)
    orders = [data.load(each).batch_sampler(32).next_block().order for each in (base, same, other)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()


def test_smaller_volume_is_the_first_rows_of_the_seeded_order() -> None:
    whole, part = arrays(100), arrays(100, examples=30)
    expected, _ = whole.sample(30)
    assert sorted(epoch(part.batch_sampler(8), 8)[:, 0]) == sorted(expected[:, 0])
    in_order = arrays(100, examples=30, shuffle=False)
    assert epoch(in_order.batch_sampler(8), 8)[:, 0].tolist() == sorted(expected[:, 0])
    assert (in_order.sample(30)[0] == expected).all()
    assert (whole.sample(10**9)[0] == whole.sample(100)[0]).all()


def test_a_larger_volume_takes_several_reshuffled_passes_and_notes_it() -> None:
    dataset = data.load(RunConfig(layers=(64, 10), validation=0.2, examples=5_000))
    assert dataset.examples == 5_000
    assert any("volume 5,000 of 1,438 rows: 3.48 passes" in note for note in dataset.notes)
    order = np.concatenate([dataset.batch_sampler(32).next_block().order])
    rounds = [order[:1438], order[1438:2876], order[2876:4314]]
    assert all(sorted(each) == list(range(1438)) for each in rounds)
    assert all((one != other).any() for one, other in pairwise(rounds))


def test_a_volume_of_many_passes_comes_in_bounded_blocks() -> None:
    sampler = data.load(RunConfig(layers=(64, 10), examples=10**12)).batch_sampler(32)
    for _ in range(3):
        block = sampler.next_block()
        assert not block.ends_epoch
        assert 32 <= len(block.order) < 2 * batch_sampler.BLOCK


def test_large_source_is_shuffled_within_chunks_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_sampler, "WHOLE_SHUFFLE", 500)
    monkeypatch.setattr("tuisim.data.dataset.WHOLE_SHUFFLE", 500)
    monkeypatch.setattr(batch_sampler, "BLOCK", 100)
    dataset = arrays(950)
    assert any("shuffled within chunks" in note for note in dataset.notes)
    sampler = dataset.batch_sampler(50)
    orders: list[data.Block] = []
    while not orders or not orders[-1].ends_epoch:
        orders.append(sampler.next_block())
    assert sorted(np.concatenate([block.order for block in orders])) == list(range(950))
    assert len({int(row) // 100 for row in orders[0].order[:50]}) == 1


# ── Endless sources ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.data.info.CHUNK", 64)
    monkeypatch.setattr("tuisim.data.info.MAX_RESIDENT", 100)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("batch", [1, 7, 32, 64, 100, 1000])
@pytest.mark.parametrize("shuffle", [True, False])
def test_chunks_give_each_row_once_an_epoch(batch: int, shuffle: bool) -> None:
    dataset = data.load(config(examples=333, shuffle=shuffle))
    sampler = dataset.batch_sampler(batch)
    assert sampler.generates
    expected, _ = dataset.sample(333)
    first, second = epoch(sampler, batch), epoch(sampler, batch)
    for seen in (first, second):
        assert sorted(map(tuple, seen.tolist())) == sorted(map(tuple, expected.tolist()))
    assert (first != second).any() == shuffle
    assert (first == expected).all() != shuffle


@pytest.mark.usefixtures("small_chunks")
def test_chunked_rows_do_not_depend_on_the_batch_size() -> None:
    samplers = [(data.load(config(examples=500)).batch_sampler(batch), batch) for batch in (1, 48, 64, 333, 5000)]
    for _ in range(2):
        epochs = [epoch(sampler, batch) for sampler, batch in samplers]
        assert all((epochs[0] == each).all() for each in epochs)


@pytest.mark.usefixtures("small_chunks")
def test_targets_travel_with_their_rows() -> None:
    dataset = data.load(config(examples=500))
    X, Y = dataset.sample(500)
    target = {tuple(x): y for x, y in zip(X.tolist(), Y.tolist(), strict=True)}
    sampler = dataset.batch_sampler(33)
    for _ in range(12):
        block = sampler.next_block()
        assert all(target[tuple(block.X[i].tolist())] == block.Y[i] for i in block.order)


def test_chunks_are_noted_and_resident_rows_are_not() -> None:
    assert not data.load(config(examples=100_000)).batch_sampler(32).generates
    large = data.load(config(examples=100_001))
    assert large.batch_sampler(32).generates
    assert any("chunks of 16,384" in note for note in large.notes)


def _peak(volume: int, blocks: int) -> int:
    tracemalloc.start()
    sampler = data.load(config(examples=volume, validation=0)).batch_sampler(32)
    for _ in range(blocks):
        sampler.next_block()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_a_thousand_million_examples_need_no_more_memory_than_a_hundred_thousand() -> None:
    assert _peak(10**9, 8) <= _peak(10**5, 8)


def test_a_huge_volume_is_sampled() -> None:
    block = data.load(config(examples=10**30)).batch_sampler(32).next_block()
    assert len(block.order) == 16_384


def test_batch_beyond_memory_is_refused_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuisim.data.memory.available", lambda: 2**30)
    with pytest.raises(MemoryNeeded, match="of memory"):
        data.load(config(examples=10**12)).batch_sampler(10**12)
    with pytest.raises(MemoryNeeded, match="smaller batch"):
        arrays(10, examples=10**12).batch_sampler(10**12)
    with pytest.raises(MemoryNeeded, match="narrower"):
        data.load(RunConfig(layers=(10**12, 2), dataset="teacher"))
    monkeypatch.setattr("tuisim.data.memory.available", lambda: None)
    with pytest.raises(MemoryNeeded, match="no machine"):
        data.load(RunConfig(layers=(10**20, 2), dataset="blobs"))


def test_an_unknown_free_memory_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert memory.available() is None
    assert len(data.load(config()).sample(5)[0]) == 5


@given(count=st.integers(1, 200), seed=st.integers(0, 10))
def test_walk_meets_each_once(count: int, seed: int) -> None:
    assert sorted(walk(count, rng.generator(seed))) == list(range(count))
    assert list(walk(count, None)) == list(range(count))
