"""Backend entries of a comparison: a backend at a thread count, and one that is bound and timed.

Every timed entry makes the same steps on the same batches as the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import get_backend, names, probe, probe_if_loaded
from tuisim.backends.protocol import Costs, OnDevice
from tuisim.config.choices import MAX_THREADS
from tuisim.engine.history import MeanCurve
from tuisim.engine.initial_state import InitialState, parameter_name
from tuisim.errors import ConfigError, Mistake, RunError, nearest, printable
from tuisim.threads import usable_cores

FIRST_STEPS = 20
"""Steps after which parameters are compared: enough to show a wrong gradient, too few for rounding to grow."""


@dataclass(frozen=True, slots=True)
class BackendEntry:
    """A backend and its threads: `numpy`, `numpy@2`."""

    backend: str
    threads: int | None
    """None if the entry uses as many as the run."""

    @property
    def name(self) -> str:
        """The name: `numpy@2`."""
        return self.backend if self.threads is None else f"{self.backend}@{self.threads}"


BackendPair = tuple[BackendEntry, BackendEntry]


def entries(text: str) -> tuple[BackendEntry, ...]:
    """Read `scalar,numpy,numpy@2`; `numpy@all` is NumPy on 1, 2, 4 … threads up to all usable cores.

    Raises ConfigError for unknown names, invalid thread counts, duplicates and fewer than two entries.
    """
    found: list[BackendEntry] = []
    mistakes: list[Mistake] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        backend, at, threads = part.partition("@")
        if backend not in names():
            mistakes.append(Mistake("backends", printable(part), nearest(backend, names())))
        elif threads == "all":
            cores = usable_cores()
            counts = sorted({*(2**n for n in range(cores.bit_length()) if 2**n <= cores), cores})
            found += [BackendEntry(backend, count) for count in counts]
        elif at and not (threads.isdecimal() and len(threads) < 6 and 1 <= int(threads) <= MAX_THREADS):
            mistakes.append(Mistake("backends", printable(part), f"a thread count from 1 to {MAX_THREADS}, or all: {backend}@2"))
        else:
            found.append(BackendEntry(backend, int(threads) if at else None))
    if not mistakes and len(found) != len(set(found)):
        mistakes.append(Mistake("backends", printable(text), "name each once"))
    if not mistakes and len(found) < 2:
        mistakes.append(Mistake("backends", printable(text), "name at least two, such as scalar,numpy or numpy@1,numpy@2"))
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(found)


def all_entries(cores: int | None = None) -> tuple[BackendEntry, ...]:
    """Return every installed backend, and NumPy on every core if there are several."""
    cores = usable_cores() if cores is None else cores
    installed = [name for name in names() if (found := probe_if_loaded(name)) is None or not found.absent]
    entered = [BackendEntry(name, 1 if name == "numpy" else None) for name in installed]
    return tuple([*entered, BackendEntry("numpy", cores)] if cores > 1 else entered)


def may_be_available(name: str) -> bool:
    """Return True if a backend works here, or if that is not known without importing anything."""
    found = probe_if_loaded(name)
    return found is None or found.available


def pairs(
    available: Callable[[str], bool] = lambda name: probe(name).available, cores: int | None = None
) -> tuple[BackendPair, ...]:
    """Return the pairs worth a sweep, the default first.

    NumPy with each other fast backend, those with one another, one thread with every core, and plain Python last.
    """
    cores = usable_cores() if cores is None else cores
    others = [BackendEntry(name, None) for name in reversed(names()) if name not in ("numpy", "scalar") and available(name)]
    numpy = BackendEntry("numpy", None)
    found: list[BackendPair] = [(numpy, other) for other in others]
    found += combinations(others, 2)
    if cores > 1:
        found.append((BackendEntry("numpy", 1), BackendEntry("numpy", cores)))
    return (*found, (numpy, BackendEntry("scalar", None)))


def warning(entry: BackendEntry) -> str:
    """Return a warning about an entry's thread count; empty if there is none."""
    cores = usable_cores()
    if entry.threads is None or entry.backend in ("scalar", "cupy"):
        return ""
    if entry.threads > cores:
        return f"{entry.name}: more threads than the {cores} usable core{'s' * (cores > 1)}"
    if entry.threads == cores > 1:
        return f"{entry.name}: uses every core, so none is left for the app"
    return ""


class TimedEntry:
    """A bound network of one entry, its position in the data, its times and its losses.

    Its constructor makes the first steps, and raises whatever the backend raises.
    """

    def __init__(self, entry: BackendEntry, start: InitialState) -> None:
        config = start.config
        assert config.threads is not None
        self.entry = entry
        self.threads = entry.threads or config.threads
        self.backend = get_backend(entry.backend)
        self.samples: list[float] = []
        """Seconds per step of each round."""
        self.steps = 0
        self.seconds = 0.0
        """Compute time of all steps, the first ones too."""
        self._losses = MeanCurve()
        self._batches = start.dataset.batch_sampler(start.batch)
        self.costs: Costs | None = None
        """Transfer and launch costs; None on the host."""
        with self._counting_costs(), self.backend.threads(self.threads):
            compiled, begun = self._compiled or 0.0, perf_counter()
            self._network = start.network(entry.backend)
            self.bind_seconds = perf_counter() - begun
            """Time to allocate and bind, including compilation."""
            self.device = self._network.device
            self.first_parameters = self._parameters()
            self.first_seconds = self._advance(1)
            """Time of the first step, including what happens once."""
            spent = self._compiled
            self.compile_seconds = None if spent is None else spent - compiled
            """The part of these two spent on compiling or loading compiled code; None if the backend compiles nothing."""
            self.second_seconds = self._advance(1)
            self._advance(FIRST_STEPS - 2)
        self.parameters = self._parameters()
        """After the first steps."""

    @property
    def _compiled(self) -> float | None:
        """Seconds that the backend has spent on compiling in this process."""
        spent: float | None = getattr(self.backend, "compile_seconds", None)
        return spent

    @contextmanager
    def _counting_costs(self) -> Iterator[None]:
        """Add what the device costs inside the block to this entry's costs."""
        if not isinstance(self.backend, OnDevice):
            yield
            return
        before = self.backend.costs
        yield
        spent = self.backend.costs - before
        self.costs = spent if self.costs is None else self.costs + spent

    @property
    def losses(self) -> tuple[float, ...]:
        """The mean losses of equally many steps each."""
        return tuple(self._losses.arrays()[1][: self.steps // self._losses.stride].tolist())

    def _parameters(self) -> NDArray[Any]:
        """Return all parameters, flat, in double precision."""
        found: NDArray[Any] = self._network.full.read("parameters").astype(np.float64)
        return found

    def turn(self, seconds: float) -> None:
        """Make steps for about `seconds`, at least one, and keep the time per step."""
        each = self.samples[-1] if self.samples else self.second_seconds
        steps = max(1, round(seconds / each)) if each > 0 else 1
        with self._counting_costs(), self.backend.threads(self.threads):
            spent = self._advance(steps)
        self.samples.append(spent / steps)

    def _advance(self, steps: int) -> float:
        """Make steps and return their seconds, without generating and shuffling rows. Raises RunError if a loss is not finite."""
        spent = 0.0
        while steps > 0:
            if self._batches.block is None:
                block = self._batches.fetch()
                self._network.attach(block.X, block.Y)
            segment = self._batches.take(steps)
            step = self._network.step(segment.batch)
            begun = perf_counter()
            losses = step.run(segment.rows)
            spent += perf_counter() - begun
            self._losses.extend(losses)
            if not math.isfinite(losses[-1]):
                raise RunError(f"its loss is not finite after {self.steps + len(losses):,} steps")
            steps -= segment.steps
            self.steps += segment.steps
        self.seconds += spent
        return spent


def max_difference(ours: NDArray[Any], theirs: NDArray[Any], layers: Sequence[int]) -> tuple[float, str]:
    """Return the largest difference of two flat parameter buffers, and where it is."""
    differences = np.abs(ours - theirs)
    if not np.isfinite(differences).all():
        return math.nan, parameter_name(layers, int(np.flatnonzero(~np.isfinite(differences))[0]))
    at = int(differences.argmax())
    return float(differences[at]), parameter_name(layers, at)
