"""The benchmark: a step of ours beside the obvious NumPy code and beside the bare matrix products, in turn, in one run.

Machines are noisy, so a speed is a ratio of two things measured in the same round, and the figure is the median of the
rounds. That all subjects computed the same is checked, not assumed.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.backends import get_backend
from tuisim.backends.numpy.blas import blas
from tuisim.config import RunConfig
from tuisim.engine import initial
from tuisim.engine.network import Network
from tuisim.errors import RunError
from tuisim.marks import Mark
from tuisim.study.plain import PlainNetwork
from tuisim.units import layers_text

ROUNDS = 61
ROUND_SECONDS = 0.02
"""Each subject works about so long in each round, or one pass over the rows where that takes longer."""
ROWS = 256
TOLERANCE = 1e-3
"""Of the largest parameter, after the same steps in float32; a wrong gradient differs by far more."""

CASES = (
    RunConfig(layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1),
    RunConfig(layers=(64, 32, 10), batch_size=32),
    RunConfig(layers=(784, 128, 10), batch_size=128),
    RunConfig(layers=(784, 1024, 1024, 10), batch_size=256),
)


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One subject on one case."""

    case: str
    subject: str
    microseconds_per_step: float
    """Median of the rounds."""
    ratio: float
    """This subject's time over tuisim's, the median of the rounds: above 1 it is slower than tuisim."""
    spread: float
    """Half the 10-90 % range of that ratio over the rounds."""
    max_parameter_difference: float | None
    """Largest difference from tuisim's parameters after the same steps, over the largest parameter; none for products."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All rows, and what they were measured on."""

    rows: tuple[BenchRow, ...]
    blas: dict[str, Any]
    environment: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": [asdict(row) for row in self.rows],
            "blas": self.blas,
            "environment": self.environment,
            "marks": {"rows[]": Mark.MEASURED, "blas.threads": Mark.GIVEN},
        }


def bench(threads: int = 1, tell: Callable[[str], None] = lambda line: None) -> Benchmark:
    """Run every case on `threads` BLAS threads; `tell` hears which one is at work."""
    rows: list[BenchRow] = []
    backend = get_backend("numpy")
    with backend.threads(threads):
        for config in CASES:
            tell(f"{layers_text(config.layers)} batch {config.batch_size}")
            rows += _case(config.resolved())
    variables = {k: v for k, v in os.environ.items() if k.startswith(("OPENBLAS", "OMP_", "MKL_"))}
    return Benchmark(
        tuple(rows),
        {"library": blas().library, "kernel": blas().kernel, "threads": threads, "pinned_by": blas().pinned_by},
        {"processor": _processor(), "python": platform.python_version(), "numpy": np.__version__, "variables": variables},
    )


def _case(config: RunConfig) -> list[BenchRow]:
    rng = np.random.default_rng(0)
    rows = max(ROWS, config.batch_size)
    X = rng.standard_normal((rows, config.layers[0])).astype(config.dtype)
    if config.loss == "mse":
        y = rng.standard_normal((rows, config.layers[-1])).astype(config.dtype)
    else:
        y = rng.integers(0, config.layers[-1], rows)
    parameters = list(initial.parameters(config))
    network = Network(config, get_backend("numpy"), config.batch_size)
    network.load(parameters)
    network.attach(X, y)
    plain = PlainNetwork(config, parameters)
    steps = rows // config.batch_size
    order = np.arange(steps * config.batch_size)

    def ours() -> None:
        network.full.run(order)

    def obvious() -> None:
        for first in range(0, len(order), config.batch_size):
            plain.step(X[first : first + config.batch_size], y[first : first + config.batch_size])

    ours()
    obvious()
    difference = _difference(network, plain)
    if not difference < TOLERANCE:
        raise RunError(f"{layers_text(config.layers)}: the plain code differs by {difference:.1e}, so nothing is compared")
    subjects = {"tuisim numpy": ours, "plain numpy": obvious, "bare products": _products(config, steps)}
    times = _rounds(subjects, steps)
    case = f"{layers_text(config.layers)} b{config.batch_size}"
    return [
        BenchRow(
            case,
            name,
            median(own) * 1e6,
            *_ratio(own, times["tuisim numpy"]),
            difference if name == "plain numpy" else 0.0 if name == "tuisim numpy" else None,
        )
        for name, own in times.items()
    ]


def _products(config: RunConfig, steps: int) -> Callable[[], None]:
    """The matrix products of the same steps and nothing else: the limit of any implementation over this BLAS."""
    rng, batch = np.random.default_rng(1), config.batch_size
    pairs = list(zip(config.layers, config.layers[1:], strict=False))
    a = [rng.standard_normal((batch, n)).astype(config.dtype) for n in config.layers]
    W = [rng.standard_normal(pair).astype(config.dtype) for pair in pairs]
    z = [np.empty((batch, m), config.dtype) for _, m in pairs]
    gW = [np.empty_like(w) for w in W]
    below = [np.empty_like(x) for x in a]

    def products() -> None:
        for _ in range(steps):
            for k in range(len(W)):
                np.dot(a[k], W[k], z[k])
            for k in reversed(range(len(W))):
                np.dot(a[k].T, z[k], gW[k])
                if k:
                    np.dot(z[k], W[k].T, below[k])

    return products


def _rounds(subjects: dict[str, Callable[[], None]], steps: int) -> dict[str, list[float]]:
    """Seconds per step of each subject in each round, in turn, the order reversed every other round."""
    times: dict[str, list[float]] = {name: [] for name in subjects}
    passes = {}
    for name, subject in subjects.items():
        start = perf_counter()
        subject()
        passes[name] = max(1, round(ROUND_SECONDS / (perf_counter() - start)))
    names = list(subjects)
    for number in range(ROUNDS):
        for name in names if number % 2 else reversed(names):
            start = perf_counter()
            for _ in range(passes[name]):
                subjects[name]()
            times[name].append((perf_counter() - start) / (passes[name] * steps))
    return times


def _ratio(own: list[float], reference: list[float]) -> tuple[float, float]:
    ratios = sorted(a / b for a, b in zip(own, reference, strict=True))
    low, high = ratios[int(0.1 * (len(ratios) - 1))], ratios[int(0.9 * (len(ratios) - 1))]
    return median(ratios), (high - low) / 2


def _difference(network: Network, plain: PlainNetwork) -> float:
    ours = network.parameters()
    largest = max(float(np.abs(w).max()) for w, _ in ours)
    theirs = zip(plain.weights, plain.biases, strict=True)
    return max(
        float(np.abs(a - b).max()) / largest
        for mine, other in zip(ours, theirs, strict=True)
        for a, b in zip(mine, other, strict=True)
    )


def _processor() -> str:
    """The processor's name, from the system where it says."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
