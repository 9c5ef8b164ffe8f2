"""Memory ceilings per cache level: NumPy's copy and add over working sets between the sizes of one level and the next.

After the cache-aware roofline model of Ilic, Pratas & Sousa (2014). DRAM's is the large copy of `peaks`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from statistics import fmean
from threading import Barrier, Event, Thread
from time import perf_counter

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from tuisim.backends import Backend, OnDevice, computes_with
from tuisim.errors import ClockError
from tuisim.measure.caches import Cache, caches
from tuisim.measure.ceiling import Ceiling, relative_spread
from tuisim.measure.peaks import Peaks, copy_bytes

SECONDS = 0.04
"""Given to each kernel at each level."""
MIN_ROUNDS = 5
LINE, PAGE = 64, 4096
"""Bytes of a cache line and of a page."""
CALL_BYTES, MAX_PASSES = 16 << 20, 64
"""A call goes over its working set until it has moved so many bytes, at most so often."""
DTYPE = "float32"
KERNEL = "NumPy copy and add"
DRAM = "DRAM"

Floats = NDArray[np.float32]
Sweep = Callable[[int, int], tuple[float, float]]
"""From threads and bytes of each one's working set to bytes per second of all, and the relative spread."""


def roofs_of(backend: Backend, peaks: Peaks, threads: int) -> tuple[Ceiling, ...]:
    """Return the memory ceilings of one thread and, if matrix products use more, of those; empty if the caches are not known."""
    if isinstance(backend, OnDevice):
        return ()
    threads, _ = computes_with(backend.name, threads, DTYPE)
    return memory_roofs(1, peaks) if threads == 1 else (*memory_roofs(1, peaks), *memory_roofs(threads, peaks))


def memory_roofs(threads: int, peaks: Peaks) -> tuple[Ceiling, ...]:
    """Return a ceiling for each cache level, innermost first, and for DRAM; empty if the caches are not known."""
    known = caches()
    if not known:
        return ()
    copies = peaks.copies
    last = Ceiling(copies.per_second, copies.spread, copies.kernel, 1, copies.dtype, DRAM) if threads == 1 else _dram(threads)
    return (*_cache_roofs(threads), last)


@cache
def _cache_roofs(threads: int) -> tuple[Ceiling, ...]:
    return level_roofs(caches(), threads, sweep)


@cache
def _dram(threads: int) -> Ceiling:
    """Return the ceiling of large copies on several threads."""
    return Ceiling(*sweep(threads, 2 * copy_bytes() // threads), KERNEL, threads, DTYPE, DRAM)


def level_roofs(known: tuple[Cache, ...], threads: int, measure: Sweep) -> tuple[Ceiling, ...]:
    """Return the ceiling of each level, from a working set halfway (in logarithms) between its capacity and the level before."""
    found: list[Ceiling] = []
    before = known[0].capacity(threads) / 4 if known else 0.0
    for one in known:
        holds = one.capacity(threads)
        each = int((max(before, 1.0) * holds) ** 0.5) // threads
        found.append(Ceiling(*measure(threads, each), KERNEL, threads, DTYPE, one.name, holds))
        before = holds
    return tuple(found)


def sweep(threads: int, working_set: int) -> tuple[float, float]:
    """Return bytes per second of the faster of copy and add, all threads at once, and its relative spread."""
    return max((_measured(kernel, threads, working_set) for kernel in (_copy, _add)), key=lambda found: found[0])


Timed = tuple[Callable[[], object], Callable[[], object], int]
"""Passes over the working set, the same number over one line each, and the bytes that the first moves more than the second."""


def _copy(working_set: int) -> Timed:
    source, target, passes = _arrays(working_set)
    full, line = ((_windows(target, passes, n), _windows(source, passes, n)) for n in (_length(source, passes), _LINE_LENGTH))
    return partial(np.copyto, *full), partial(np.copyto, *line), 2 * (full[0].nbytes - line[0].nbytes)


def _add(working_set: int) -> Timed:
    """Sum windows into one row: each pass reads a window and the row, and writes the row."""
    source, target, passes = _arrays(working_set)
    full, line = (_windows(source, passes, n) for n in (_length(source, passes), _LINE_LENGTH))
    calls = [partial(np.add.reduce, one, axis=0, out=target[: one.shape[1]]) for one in (full, line)]
    return calls[0], calls[1], 3 * (full.nbytes - line.nbytes)


_LINE_LENGTH = LINE // np.dtype(DTYPE).itemsize


def _arrays(working_set: int) -> tuple[Floats, Floats, int]:
    """Return two arrays of half the working set and room for the windows, half a page apart, and the passes of a call."""
    passes = max(1, min(MAX_PASSES, CALL_BYTES // working_set))
    size = max(2, working_set // 2 // LINE) * LINE + passes * LINE
    room = np.ones(2 * (size + PAGE) // 4 + PAGE, DTYPE)
    begin = -room.ctypes.data % PAGE // room.itemsize
    other = begin + (size + PAGE - size % PAGE + PAGE // 2) // room.itemsize
    many = size // room.itemsize
    return room[begin : begin + many], room[other : other + many], passes


def _length(array: Floats, passes: int) -> int:
    return array.size - passes * _LINE_LENGTH


def _windows(array: Floats, passes: int, length: int) -> Floats:
    """Return `passes` rows of the array, each a cache line further: many passes in one call, at the cost of one call."""
    return as_strided(array, (passes, length), (LINE, array.itemsize))


def _measured(kernel: Callable[[int], Timed], threads: int, working_set: int) -> tuple[float, float]:
    """Return the best rate of all threads together, and the relative spread; they begin each round at the same time."""
    kernels = [kernel(working_set) for _ in range(threads)]
    taken: list[list[tuple[float, float]]] = [[] for _ in kernels]
    barrier, until, done = Barrier(threads), perf_counter() + SECONDS, Event()

    def work(number: int) -> None:
        full, line, _ = kernels[number]
        while not done.is_set():
            barrier.wait()
            start = perf_counter()
            line()
            middle = perf_counter()
            full()
            end = perf_counter()
            taken[number].append((middle - start, end - middle))
            if barrier.wait() == 0 and end > until and len(taken[number]) > MIN_ROUNDS:
                done.set()
            barrier.wait()

    others = [Thread(target=work, args=(number,), daemon=True) for number in range(1, threads)]
    for other in others:
        other.start()
    work(0)
    for other in others:
        other.join()
    return _rate(taken, sum(moved for _, _, moved in kernels))


def _rate(taken: list[list[tuple[float, float]]], moved: int) -> tuple[float, float]:
    """Return the best rate of the rounds and their spread, without the cost of calling. Raises ClockError."""
    call = min(line for rounds in taken for line, _ in rounds)
    # The first round fills the caches.
    seconds = [fmean(full for _, full in together) - call for together in list(zip(*taken, strict=True))[1:]]
    rates = [moved / one for one in seconds if one > 0]
    if not rates:
        raise ClockError
    return max(rates), relative_spread(rates)
