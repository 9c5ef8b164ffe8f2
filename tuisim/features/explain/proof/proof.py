"""Proof: the count, the gradient and the backend of one configuration, each checked against something independent.

It decides the order and what is too long; how each thing is checked is in the modules beside it, and who watches is not
its affair.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

from tuisim.backends import choose, get_backend
from tuisim.config import RunConfig
from tuisim.engine.initial_state import initial_state
from tuisim.features.explain.proof import backend as prove_backend
from tuisim.features.explain.proof import cost as prove_cost
from tuisim.features.explain.proof import count as prove_count
from tuisim.features.explain.proof import gradient as prove_gradient
from tuisim.features.explain.proof.backend import BackendCheck
from tuisim.features.explain.proof.count import CountCheck
from tuisim.features.explain.proof.gradient import GradientCheck
from tuisim.provenance import Provenance

Check = CountCheck | GradientCheck | BackendCheck

CHECKS = ("count", "gradient", "backend")

MARKS: dict[str, Provenance] = {
    "layers[]": Provenance.GIVEN,
    "batch": Provenance.COUNTED,
    "parameters": Provenance.COUNTED,
    "seconds": Provenance.MEASURED,
    "scalar_seconds": Provenance.PROJECTED,
    "checks[].worst": Provenance.MEASURED,
    "checks[].compared": Provenance.COUNTED,
    "checks[].batches[].batch": Provenance.COUNTED,
    "checks[].batches[].cells[].ledger": Provenance.COUNTED,
    "checks[].batches[].cells[].tally": Provenance.MEASURED,
    "checks[].batches[].operations[].layer": Provenance.COUNTED,
    "checks[].batches[].operations[].ledger.*": Provenance.COUNTED,
    "checks[].batches[].operations[].tally.*": Provenance.MEASURED,
    "checks[].analytic": Provenance.MEASURED,
    "checks[].difference": Provenance.MEASURED,
    "checks[].checked": Provenance.COUNTED,
    "checks[].parameters": Provenance.COUNTED,
    "checks[].corners": Provenance.MEASURED,
    "checks[].examples": Provenance.COUNTED,
    "checks[].step": Provenance.GIVEN,
    "checks[].steps": Provenance.COUNTED,
    "checks[].tolerance": Provenance.MEASURED,
    "checks[].largest_parameter": Provenance.MEASURED,
    "checks[].worst_loss": Provenance.MEASURED,
    "checks[].loss_tolerance": Provenance.MEASURED,
    "checks[].first_loss": Provenance.MEASURED,
    "checks[].last_loss": Provenance.MEASURED,
    "checks[].disturbance": Provenance.GIVEN,
}
"""What kind of number stands at each path of `Proof.to_dict`; `*` is any key."""


@dataclass(frozen=True)
class Proof:
    """All checks of one configuration."""

    config: RunConfig
    """As resolved; its examples are the real volume."""
    checks: tuple[Check, ...]
    seconds: float
    """All of it took."""
    scalar_seconds: float
    """What the scalar backend's part was expected to take."""

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """The document `tuisim prove --json` prints."""
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
class Progress:
    """How far a proof is: the check at hand and its share, and the checks that have ended."""

    check: str
    done: int
    of: int
    finished: tuple[Check, ...]
    scalar_seconds: float
    """What the scalar backend's part will take, projected."""


Tell = Callable[[Progress], None]


def prove(config: RunConfig, *, force: bool = False, tell: Tell = lambda progress: None) -> Proof:
    """Check what is counted, derived and computed for `config`, on its own data and batches.

    `tell` is handed the progress now and then, on the calling thread; what it raises ends the proof. Raises TooLong (a RunError)
    where the scalar backend would take longer than the limit and it is not forced; ConfigError, BackendError, DataError or
    MemoryNeeded where the run could not be made.
    """
    begun = perf_counter()
    config = replace(config, backend=choose(config).name).resolved()
    backend = get_backend(config.backend)
    cost = prove_cost.cost(config)
    if not force:
        prove_cost.check(config, cost)
    begin = initial_state(config, backend)
    found: list[Check] = []

    def report(name: str, done: int, of: int) -> None:
        tell(Progress(name, done, of, tuple(found), cost.seconds))

    with get_backend("numpy").threads(config.threads or 1):
        found.append(prove_count.check(begin, partial(report, "count")))
        found.append(prove_gradient.check(begin, partial(report, "gradient")))
        found.append(prove_backend.check(begin, cost.steps, partial(report, "backend")))
    config = replace(config, examples=begin.dataset.examples)
    return Proof(config, tuple(found), perf_counter() - begun, cost.seconds)
