"""Whether a run has room in the memory that it computes in, this machine's or its GPU's, asked before anything is allocated.

Counting never asks; only training does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from tuisim.accounting import Memory, count, full_step, memory_of
from tuisim.backends import Backend, OnDevice, has_own_memory
from tuisim.config import RunConfig
from tuisim.data.memory import ADDRESSABLE, available
from tuisim.errors import MemoryNeeded, printable
from tuisim.units import layers_text, size

EVALUATION_BATCH = 512
"""Rows evaluated at a time; large enough for BLAS, small enough to answer within a tenth of a second."""
BOXED = 8 + 24
"""Bytes of a number in plain Python: its place in a list, and the object there."""


def needed(config: RunConfig) -> int:
    """Bytes of a training step and of the evaluation beside it, with the larger of what setting up and probing take.

    Setting up draws one layer's weights in float64 and casts them; a probe copies parameters and gradients.
    """
    itemsize = _itemsize(config)
    widest = max(n * m for n, m in pairwise(config.layers))
    evaluated = EVALUATION_BATCH * (config.layers[0] + 2 * sum(config.layers[1:])) * _value_bytes(config)
    aside = max((8 + itemsize) * widest, itemsize * (config.parameter_count + 2 * widest))
    return step_memory(config, memory_of(full_step(config))).total + evaluated + aside


def step_memory(config: RunConfig, counted: Memory) -> Memory:
    """What is counted for a step, as the configuration's backend holds it."""
    times = _value_bytes(config) // _itemsize(config)
    return Memory(
        counted.parameters * times, counted.gradients * times, counted.optimizer * times, counted.activations * times,
        counted.batch * times,
    )  # fmt: skip


def _itemsize(config: RunConfig) -> int:
    return 8 if config.dtype == "float64" else 4


def _value_bytes(config: RunConfig) -> int:
    return BOXED if config.backend == "scalar" else _itemsize(config)


def free_bytes(backend: Backend | str) -> int | None:
    """Bytes free in the memory that a backend computes in: its device's, or this machine's; none where it cannot be told.

    Of a device only the backend itself can tell, not its name: nothing is opened to ask.
    """
    if isinstance(backend, str):
        return None if has_own_memory(backend) else available()
    return backend.free_bytes() if isinstance(backend, OnDevice) else available()


def check(config: RunConfig, backend: Backend | None = None) -> None:
    """Raises MemoryNeeded, with what would fit, where a step is too large for the memory that it is computed in.

    Every network asks before it is bound; whoever loads data or draws parameters first, before that. Without the backend itself,
    that of a device is not asked: the run will.
    """
    free = free_bytes(config.backend if backend is None else backend)
    known = free is not None
    if free is None:
        if isinstance(backend, OnDevice) or has_own_memory(config.backend):
            return
        free = ADDRESSABLE
    if needed(config) <= free:
        return
    ledger = count(config)
    memory, where = step_memory(config, ledger.memory), " on the GPU" if isinstance(backend, OnDevice) else ""
    raise MemoryNeeded(
        f"layers = {printable(layers_text(config.layers))} at batch {ledger.batch:,}: a step needs {size(needed(config))} "
        f"({size(memory.parameters)} parameters, {size(memory.gradients + memory.optimizer)} gradients and optimizer, "
        f"{size(memory.activations)} activations), {f'{size(free)} are free{where}' if known else 'no machine has as much'}; "
        f"{_what_fits(config, free)}; "
        "it can still be counted"
    )


def explained(error: MemoryNeeded, config: RunConfig, *, running: bool = False) -> str:
    """The error's words, with what would fit where it knows how much there is.

    A step that is `running` had room when it was made, with that of an evaluation: what has none are the data beside it.
    """
    if error.free is None:
        return str(error)
    return f"{error}; {'fewer examples would fit' if running else _what_fits(config, error.free)}"


def _what_fits(config: RunConfig, free: int) -> str:
    """The largest batch that fits, or else the widest hidden layers."""

    def fits(config: RunConfig) -> bool:
        return needed(config) <= free

    batch = largest(lambda value: fits(replace(config, batch_size=value)), 1, config.batch_size)
    if batch:
        return f"batch {batch:,} would fit"
    widest = max(config.layers[1:-1], default=0)

    def narrowed(width: int) -> RunConfig:
        hidden = (min(size, width) for size in config.layers[1:-1])
        return replace(config, layers=(config.layers[0], *hidden, config.layers[-1]), batch_size=1)

    width = largest(lambda value: fits(narrowed(value)), 1, widest) if widest else None
    return f"hidden layers of at most {width:,} would fit at batch 1" if width else "nothing of this shape would fit"


def largest(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return a number from `low` (at least 1) to `high` that fits while the next one does not; None if `low` does not fit.

    It halves ratios until both ends are within a factor of 4, then differences: few numbers are tried, since each may cost the
    prediction of a whole run.
    """
    if not fits(low):
        return None
    if fits(high):
        return high
    while high - low > 1:
        middle = math.isqrt(low * high) if high > 4 * low else (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
