"""Memory roofs per cache level: NumPy's copy and add over working sets that fit one level and not the one before.

After the cache-aware roofline model of Ilic, Pratas & Sousa (2014). The faster of the two counts: an add in place reads
twice what it writes, and from DRAM it reaches almost twice the rate of a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import cycle
from statistics import fmean
from threading import Barrier, Event, Thread
from time import perf_counter

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from tuisim import threads as system
from tuisim.backends import computes_with
from tuisim.backends.protocol import Backend, OnDevice, best_of
from tuisim.errors import ClockError, RunError
from tuisim.measure.caches import Cache, caches
from tuisim.measure.ceiling import Ceiling
from tuisim.measure.peaks import MAX_COPY_BYTES, copy_bytes

SECONDS = 0.04
"""Time of each kernel at each level."""
MIN_ROUNDS = 5
LINE, PAGE = 64, 4096
"""Bytes of a cache line and of a page."""
CALL_BYTES, MAX_PASSES = 16 << 20, 64
"""A call repeats its working set until it has moved so many bytes, at most so many times."""
PIECE_BYTES = 8 << 20
"""Limit of the bytes of an array in one call, too short to be interrupted."""
DTYPE = "float32"
KERNEL = "NumPy copy and add"
DRAM = "DRAM"

Floats = NDArray[np.float32]
Sweep = Callable[[int, int], tuple[float, float]]
"""Takes threads and bytes of the working set of each; returns bytes per second of all, and the relative spread."""


def roofs_of(backend: Backend, threads: int) -> tuple[Ceiling, ...]:
    """Return the memory roofs of one thread and, if matrix products use more, of those; empty if the caches are not known."""
    if isinstance(backend, OnDevice):
        return ()
    threads, _ = computes_with(backend.name, threads, DTYPE)
    return memory_roofs(1) if threads == 1 else (*memory_roofs(1), *memory_roofs(threads))


@cache
def memory_roofs(threads: int) -> tuple[Ceiling, ...]:
    """Measure, once per process, a roof for each cache level and for DRAM; empty if the caches are not known."""
    return level_roofs(caches(), threads, sweep)


def level_roofs(known: tuple[Cache, ...], threads: int, measure: Sweep) -> tuple[Ceiling, ...]:
    """Return the roof of each level, innermost first, and of DRAM.

    The working set of a level lies halfway (in logarithms) between its capacity and that of the level before.
    """
    if not known:
        return ()
    found: list[Ceiling] = []
    before = known[0].capacity(threads) / 4
    for one in known:
        holds = one.capacity(threads)
        each = int((before * holds) ** 0.5) // threads
        found.append(Ceiling(*measure(threads, each), KERNEL, threads, DTYPE, one.name, holds))
        before = holds
    # The caches of all threads together may hold more than one copy does.
    dram = measure(threads, min(2 * max(copy_bytes(), int(before)), 2 * MAX_COPY_BYTES) // threads)
    return (*found, Ceiling(*dram, KERNEL, threads, DTYPE, DRAM))


def sweep(threads: int, working_set: int) -> tuple[float, float]:
    """Return bytes per second of the faster of copy and add, all threads at once, and its relative spread."""
    return max(_measured(kernel, threads, working_set) for kernel in (_copy, _add))


Call = Callable[[], object]
Kernel = Callable[[Floats, Floats], tuple[Call, int]]
"""Takes rows of two arrays; returns a call over all of them, and the bytes it reads and writes."""


def _copy(source: Floats, target: Floats) -> tuple[Call, int]:
    return partial(np.copyto, target, source), 2 * source.nbytes


def _add(source: Floats, target: Floats) -> tuple[Call, int]:
    """Sum rows in the first row of the target, or add one row in place."""
    if len(source) == 1:
        return partial(np.add, source, target, out=target), 3 * source.nbytes
    return partial(np.add.reduce, source, axis=0, out=target[0]), 3 * source.nbytes - source[0].nbytes


def _timed(kernel: Kernel, working_set: int) -> tuple[list[Call], Call, int]:
    """Bind a kernel to two arrays that fill the working set, half a page apart.

    Returns calls to make in turn, each several times over the working set, or once over a piece of a large one; a call over one
    cache line per row, to measure the call overhead; and the bytes that a call moves beyond that one.
    """
    passes = max(1, min(MAX_PASSES, CALL_BYTES // working_set))
    size = max(2, working_set // 2 // LINE)
    lines = size + passes
    room = np.ones((2 * lines + 3 * PAGE // LINE) * _LINE, DTYPE)
    first = -room.ctypes.data % PAGE // room.itemsize
    second = first + (-(-lines * LINE // PAGE) * PAGE + PAGE // 2) // room.itemsize
    length = min(size, PIECE_BYTES // LINE) * _LINE

    def rows(at: int, length: int) -> Floats:
        """Return rows of an array, each one cache line further: many passes in one call."""
        return as_strided(room[at:], (passes, length), (LINE, room.itemsize))

    starts = range(0, size * _LINE - length + 1, length)
    bound = [kernel(rows(first + start, length), rows(second + start, length)) for start in starts]
    empty, least = kernel(rows(first, _LINE), rows(second, _LINE))
    return [call for call, _ in bound], empty, bound[0][1] - least


_LINE = LINE // np.dtype(DTYPE).itemsize
"""Numbers in a cache line."""


def _measured(kernel: Kernel, threads: int, working_set: int) -> tuple[float, float]:
    """Return the best total rate of the threads, which begin each round together, and the relative spread."""
    bound = [_timed(kernel, working_set) for _ in range(threads)]
    taken: list[list[tuple[float, float]]] = [[] for _ in bound]
    barrier, until, done = Barrier(threads), perf_counter() + SECONDS, Event()

    def work(number: int) -> None:
        calls, empty, _ = bound[number]
        for call in cycle(calls):
            barrier.wait()
            start = perf_counter()
            empty()
            middle = perf_counter()
            call()
            end = perf_counter()
            taken[number].append((middle - start, end - middle))
            if barrier.wait() == 0 and end > until and len(taken[number]) > MIN_ROUNDS:
                done.set()
            barrier.wait()
            if done.is_set():
                break

    others = [Thread(target=work, args=(number,), daemon=True) for number in range(1, threads)]
    try:
        for other in others:
            system.start(other)
    except RunError:
        barrier.abort()  # releases those that have started
        raise
    work(0)
    for other in others:
        other.join()
    return _rate(taken, sum(moved for *_, moved in bound))


def _rate(taken: list[list[tuple[float, float]]], moved: int) -> tuple[float, float]:
    """Return the best rate of the rounds and their spread, without call overhead. Raises ClockError."""
    overhead = min(empty for rounds in taken for empty, _ in rounds)
    # The first round fills the caches.
    seconds = [fmean(full for _, full in together) - overhead for together in list(zip(*taken, strict=True))[1:]]
    known = [one for one in seconds if one > 0]
    if not known:
        raise ClockError
    least, spread = best_of(known)
    return moved / least, spread
