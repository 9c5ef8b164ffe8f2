"""The proof: the count, the gradient and the backend of one configuration, each compared with something independent.

Before it starts, the time of the scalar backend is predicted: its operations, times the seconds of one operation measured on
a small network of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from tuisim import units
from tuisim.accounting import count as count_operations
from tuisim.backends import choose, get_backend
from tuisim.config import RunConfig
from tuisim.engine.initial_state import initial_state
from tuisim.errors import RunError, printable
from tuisim.features.explain.proof import backend, count, gradient
from tuisim.features.explain.proof.backend import BackendCheck
from tuisim.features.explain.proof.count import CountCheck
from tuisim.features.explain.proof.gradient import GradientCheck
from tuisim.program import build
from tuisim.provenance import Provenance

Check = CountCheck | GradientCheck | BackendCheck

LIMIT_SECONDS = 60.0
"""A proof that would take the scalar backend longer is refused unless forced."""
MIN_STEPS, MAX_STEPS = 3, 100
"""Steps over which the backends are compared: three use an optimizer's state."""
STEP_SECONDS = 2.0
"""Time for these steps of the scalar backend."""
_SAMPLE_SECONDS = 0.05
_SAMPLE_WIDTH, _SAMPLE_BATCH = 32, 2
"""Width and batch of the network whose operation is timed: its step is shorter than another thread's time slice."""

MARKS: dict[str, Provenance] = (
    dict.fromkeys(("layers[]", "checks[].step", "checks[].perturbation"), Provenance.GIVEN)
    | dict.fromkeys((
        "batch", "parameters", "checks[].compared", "checks[].batches[].batch", "checks[].batches[].cells[].ledger",
        "checks[].batches[].operations[].layer", "checks[].batches[].operations[].ledger.*", "checks[].checked",
        "checks[].parameters", "checks[].examples", "checks[].steps",
    ), Provenance.COUNTED)
    | dict.fromkeys((
        "seconds", "checks[].worst", "checks[].batches[].cells[].tally", "checks[].batches[].operations[].tally.*",
        "checks[].analytic", "checks[].numerical", "checks[].kinks", "checks[].tolerance", "checks[].largest_parameter",
        "checks[].worst_loss", "checks[].loss_tolerance", "checks[].first_loss", "checks[].last_loss",
    ), Provenance.MEASURED)
    | {"scalar_seconds": Provenance.PROJECTED}
)  # fmt: skip
"""The provenance of each path of `Proof.to_dict`; `*` is any key."""


@dataclass(frozen=True)
class Proof:
    """All checks of one configuration."""

    config: RunConfig
    """The resolved configuration; `examples` is the actual number."""
    checks: tuple[Check, ...]
    seconds: float
    scalar_seconds: float
    """The predicted part of the scalar backend."""

    @property
    def passed(self) -> bool:
        """Return True if nothing differs."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim prove --json` prints."""
        return {
            "layers": list(self.config.layers),
            "batch": min(self.config.batch_size, self.config.examples or self.config.batch_size),
            "parameters": self.config.parameter_count,
            "backend": self.config.backend,
            "dtype": self.config.dtype,
            "dataset": self.config.dataset,
            "checks": [check.to_dict() for check in self.checks],
            "passed": self.passed,
            "seconds": self.seconds,
            "scalar_seconds": self.scalar_seconds,
            "marks": dict(MARKS),
        }


@dataclass(frozen=True, slots=True)
class ProofProgress:
    """The current check with its progress, and the finished checks."""

    check: str
    done: int
    of: int
    finished: tuple[Check, ...]
    scalar_seconds: float
    """The predicted time of the scalar backend."""


def prove(config: RunConfig, *, force: bool = False, tell: Callable[[ProofProgress], object] = lambda progress: None) -> Proof:
    """Check the count, the gradient and the backend of `config`, on its own data and batches.

    `tell` is called with the progress; what it raises ends the proof. Raises TooLong (a RunError) if the scalar backend would
    take longer than the limit and it is not forced; ConfigError, BackendError, DataError or MemoryNeeded as a run would.
    """
    begun = perf_counter()
    config = replace(config, backend=choose(config).name).resolved()
    chosen = get_backend(config.backend)
    cost = predict_cost(config)
    if cost.seconds > LIMIT_SECONDS and not force:
        raise TooLong(
            f"layers = {printable(units.layers_text(config.layers))} at batch {units.count(config.batch_size)}: the scalar "
            f"backend would take about {units.duration(cost.seconds)} ({1 + cost.steps} steps of {units.si(cost.operations)} "
            f"operations, {units.duration(cost.seconds_per_operation)} each), the limit is {units.duration(LIMIT_SECONDS)}: "
            "use a smaller network or batch, or force it (--force)"
        )
    begin = initial_state(config, chosen)
    found: list[Check] = []

    def report(name: str, done: int, of: int) -> None:
        tell(ProofProgress(name, done, of, tuple(found), cost.seconds))

    with get_backend("numpy").threads(config.threads or 1):
        found.append(count.check(begin, partial(report, "count")))
        found.append(gradient.check(begin, partial(report, "gradient")))
        found.append(backend.check(begin, cost.steps, partial(report, "backend")))
    config = replace(config, examples=begin.dataset.examples)
    return Proof(config, tuple(found), perf_counter() - begun, cost.seconds)


# ── the time of the scalar backend ──


class TooLong(RunError):
    """Raised if the scalar backend would take longer than the limit."""


@dataclass(frozen=True, slots=True)
class ScalarCost:
    """The operations of the scalar backend in a proof, and the time they take."""

    operations: int
    """Operations of one full step, with the loss."""
    short_operations: int
    """Operations of the epoch's short last step; 0 if there is none, or if that is known only after loading the data."""
    seconds_per_operation: float

    @property
    def steps(self) -> int:
        """The number of steps over which the backends are compared."""
        affordable = STEP_SECONDS / (self.operations * self.seconds_per_operation)
        return max(MIN_STEPS, min(MAX_STEPS, int(affordable)))

    @property
    def seconds(self) -> float:
        """The time of a counted full step and short step, and of the compared steps."""
        return (self.operations * (1 + self.steps) + self.short_operations) * self.seconds_per_operation


def predict_cost(config: RunConfig) -> ScalarCost:
    """Predict the scalar backend's part of a proof, in milliseconds for any size."""
    ledger = count_operations(config)
    rest = (ledger.examples or 0) % ledger.batch
    short = count_operations(replace(config, batch_size=rest)).step_total.total if rest else 0
    return ScalarCost(ledger.step_total.total, short, _seconds_per_operation(config))


def _seconds_per_operation(config: RunConfig) -> float:
    """Return the minimum over many steps of a narrow network with the same number of layers, loss and optimizer."""
    layers = tuple(min(size, _SAMPLE_WIDTH) for size in config.layers)
    small = replace(config, layers=layers, batch_size=min(config.batch_size, _SAMPLE_BATCH)).of_known_length()
    program = build(small)
    rng = np.random.default_rng(0)
    step = get_backend("scalar").bind(program)
    step.write("parameters", rng.standard_normal(small.parameter_count) / 10)
    X = rng.standard_normal((program.batch, small.layers[0]))
    classes = small.loss == "cross_entropy"
    step.attach(X, np.zeros(program.batch, np.int64) if classes else np.zeros((program.batch, small.layers[-1])))
    rows, seconds = np.arange(program.batch), list[float]()
    with get_backend("scalar").threads(1):
        begun = perf_counter()
        while len(seconds) < 3 or perf_counter() - begun < _SAMPLE_SECONDS:
            started = perf_counter()
            step.run(rows)
            seconds.append(perf_counter() - started)
    return min(seconds) / count_operations(small).step_total.total
