"""The time to generate rows of an endless source, measured with a few rows: for volumes too large to keep."""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter

import numpy as np

from tuisim.backends import get_backend
from tuisim.config import RunConfig
from tuisim.data import info
from tuisim.data.info import SYNTHETIC
from tuisim.data.synthetic import SyntheticRows
from tuisim.errors import TuisimError

VALUES, ROWS = 100_000, 2_000
"""Maximum values and rows of a measurement, which takes a few milliseconds."""
TASK_VALUES = 1_000_000
"""A task with more values, as blobs have in their centres, may take gigabytes and minutes."""
WIDEST = 1_000
"""Maximum inputs and targets of the rows that are timed in place of rows too wide to time."""
TRIES = 3


def seconds_per_row(config: RunConfig) -> float | None:
    """Return the seconds to generate a row of the configuration's data here, with the run's threads.

    None for data that are read, and for data that do not fit the network.
    """
    name, inputs, outputs = config.resolved_dataset, config.layers[0], config.layers[-1]
    if name not in SYNTHETIC:
        return None
    large = info.task_bytes(config, name) > 8 * TASK_VALUES or inputs + outputs > VALUES
    tried = (min(inputs, WIDEST), min(outputs, WIDEST)) if large else (inputs, outputs)
    threads = config.resolved().threads
    assert threads is not None
    seconds = _measured(name, *tried, config.loss, config.dtype, threads)
    return None if seconds is None else seconds * _values(config, inputs, outputs) / _values(config, *tried)


def _values(config: RunConfig, inputs: int, outputs: int) -> int:
    """Return the values of a row, which its time is proportional to: a class number costs nothing, but a teacher computes it."""
    both = config.resolved_dataset == "teacher" or config.loss != "cross_entropy"
    return inputs + outputs if both else inputs


@lru_cache(maxsize=64)
def _measured(name: str, inputs: int, outputs: int, loss: str, dtype: str, threads: int) -> float | None:
    rows = min(ROWS, VALUES // (inputs + outputs))
    config = RunConfig(layers=(inputs, outputs), loss=loss, dtype=dtype, dataset=name, batch_size=1).resolved()
    try:
        made = SyntheticRows.create(config, name)
    except TuisimError:  # the data do not fit; the run itself reports it
        return None
    X, Y = made.empty(rows)
    best = float("inf")
    with get_backend("numpy").threads(threads):  # NumPy generates the rows of every backend
        for number in range(TRIES):
            start = perf_counter()
            made.fill(X, Y, number)
            best = min(best, perf_counter() - start)
    return best / rows if np.isfinite(best) else None
