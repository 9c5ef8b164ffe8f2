"""The memory check: whether a run fits the memory it computes in, the machine's or its GPU's, before anything is allocated.

Counting never checks; only training does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import astuple, replace
from itertools import pairwise

from tuisim.accounting import StepMemory, count, full_step, program_memory
from tuisim.backends import has_own_memory
from tuisim.backends.protocol import Backend, OnDevice
from tuisim.config import RunConfig
from tuisim.data.memory import available, limit
from tuisim.errors import MemoryNeeded, printable
from tuisim.units import layers_text, size

EVALUATION_BATCH = 512
"""Rows evaluated at a time; large enough for BLAS, small enough to react within a tenth of a second."""
BOXED = 8 + 24
"""Bytes of a number in plain Python: its place in a list, and the object."""
_ITEMSIZE = {"float32": 4, "float64": 8}
_SCRATCH = {"identity": 0, "silu": 3, "gelu": 4}
"""Arrays of the size of a layer's output that NumPy's kernels of an activation use; 1 for any other."""


def required_bytes(config: RunConfig) -> int:
    """Return the bytes of a training step, of its evaluation, and of the workspace.

    The workspace holds the temporary arrays of NumPy's kernels and the larger of what setting up and a gradient sample take:
    setting up draws the weights of one layer in float64 and casts them, a sample copies parameters and gradients.
    """
    itemsize = _ITEMSIZE[config.dtype]
    widest = max(n * m for n, m in pairwise(config.layers))
    evaluation = EVALUATION_BATCH * (config.layers[0] + 2 * sum(config.layers[1:])) * itemsize * _boxing(config)
    workspace = max((8 + itemsize) * widest, itemsize * (config.parameter_count + 2 * widest))
    if config.backend == "numpy":  # the temporary arrays of its kernels; layers of one width share them
        slots: dict[int, int] = {}
        for width, activation in zip(config.layers[1:], config.activations, strict=True):
            slots[width] = max(slots.get(width, 0), _SCRATCH.get(activation, 1))
        elements = sum(width * many for width, many in slots.items())
        workspace += config.batch_size * (itemsize * elements + 8 * config.layers[-1])
    return step_memory(config, program_memory(full_step(config))).total + evaluation + workspace


def step_memory(config: RunConfig, counted: StepMemory) -> StepMemory:
    """Return the memory of a step as the configuration's backend stores it, given the counted memory."""
    times = _boxing(config)
    return StepMemory(*(size * times for size in astuple(counted)))


def _boxing(config: RunConfig) -> int:
    """Return how many times the counted bytes the backend needs for a number."""
    return BOXED // _ITEMSIZE[config.dtype] if config.backend == "scalar" else 1


def free_bytes(backend: Backend | str) -> int | None:
    """Return the free bytes of the memory that a backend computes in; None if unknown.

    A name is not enough for a device with its own memory, because nothing is opened to ask it.
    """
    if isinstance(backend, str):
        return None if has_own_memory(backend) else available()
    return backend.free_bytes() if isinstance(backend, OnDevice) else available()


def check(config: RunConfig, backend: Backend | None = None) -> None:
    """Raise MemoryNeeded, with what would fit, if a step is too large for the memory it is computed in.

    Every network is checked before it is bound, and before data are loaded or parameters drawn for it. Without `backend`, a
    device with its own memory is not checked; the run will do that.
    """
    free = free_bytes(config.backend if backend is None else backend)
    is_device = isinstance(backend, OnDevice)
    if free is None and (is_device or has_own_memory(config.backend)):
        return
    most, words = limit(free)
    required = required_bytes(config)
    if required <= most:
        return
    ledger = count(config)
    memory = step_memory(config, ledger.memory)
    raise MemoryNeeded(
        f"layers = {printable(layers_text(config.layers))} at batch {ledger.batch:,}: a step needs {size(required)} "
        f"({size(memory.parameters)} parameters, {size(memory.gradients + memory.optimizer)} gradients and optimizer, "
        f"{size(memory.activations)} activations), {words}{' on the GPU' if is_device else ''}; "
        f"{_suggestion(config, most)}; it can still be counted"
    )


def explain(error: MemoryNeeded, config: RunConfig, *, is_running: bool = False) -> str:
    """Return the error's message, with what would fit if the error tells how much memory is free.

    A step of a running network had enough memory when it was bound, so that only the data can be too large.
    """
    if error.free is None:
        return str(error)
    return f"{error}; {'fewer examples would fit' if is_running else _suggestion(config, error.free)}"


def _suggestion(config: RunConfig, free: int) -> str:
    """Return the largest batch that fits in words, or else the widest hidden layers."""

    def narrowed(width: int) -> RunConfig:
        hidden = (min(one, width) for one in config.layers[1:-1])
        return replace(config, layers=(config.layers[0], *hidden, config.layers[-1]), batch_size=1)

    batch = largest(lambda value: required_bytes(replace(config, batch_size=value)) <= free, 1, config.batch_size)
    if batch:
        return f"batch {batch:,} would fit"
    widest = max(config.layers[1:-1], default=0)
    width = largest(lambda value: required_bytes(narrowed(value)) <= free, 1, widest) if widest else None
    return f"hidden layers of at most {width:,} would fit at batch 1" if width else "nothing of this shape would fit"


def largest(fits: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return a number from `low` (at least 1) to `high` that fits while the next one does not; None if `low` does not fit.

    It bisects the logarithm until both ends are within a factor of 4, then the number itself: few numbers are tried, since each
    may need the prediction of a whole run.
    """
    if not fits(low):
        return None
    if fits(high):
        return high
    while high - low > 1:
        middle = math.isqrt(low * high) if high > 4 * low else (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
