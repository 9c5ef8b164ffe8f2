"""How long the scalar backend would take over a proof: operations counted, times what one costs on this machine.

It runs a small network of the same kind to price an operation, and loads no data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from tuisim.accounting import count
from tuisim.backends import get_backend
from tuisim.config import RunConfig
from tuisim.errors import RunError, printable
from tuisim.program import build
from tuisim.units import count as in_full
from tuisim.units import duration, layers_text, si

LIMIT_SECONDS = 60.0
"""A proof that would take the scalar backend longer is refused unless forced."""
LEAST_STEPS, MOST_STEPS = 3, 100
"""Steps the backends are compared over: three put an optimizer's state to use."""
STEP_SECONDS = 2.0
"""The scalar backend makes as many of these steps as fit in so long."""
_PRICED_SECONDS = 0.05
_PRICED_WIDTH, _PRICED_BATCH = 32, 2
"""Of the network that an operation is priced on: its step is shorter than the turn another thread would take."""


class TooLong(RunError):
    """A proof that the scalar backend could not end within the limit."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds
        """How long it would take, projected."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the scalar backend has to do at least, and what that takes here."""

    operations: int
    """Of one full step, the loss included."""
    short_operations: int
    """Of the epoch's short last step; 0 where there is none or only loading the data would tell."""
    seconds_per_operation: float

    @property
    def steps(self) -> int:
        """Steps the backends are compared over."""
        affordable = STEP_SECONDS / (self.operations * self.seconds_per_operation)
        return max(LEAST_STEPS, min(MOST_STEPS, int(affordable)))

    @property
    def seconds(self) -> float:
        """One full step and one short one counted, and the steps compared."""
        return (self.operations * (1 + self.steps) + self.short_operations) * self.seconds_per_operation


def cost(config: RunConfig) -> Cost:
    """The scalar backend's share of proving `config`; milliseconds, whatever the size."""
    ledger = count(config)
    rest = (ledger.examples or 0) % ledger.batch
    short = count(replace(config, batch_size=rest)).step_total.total if rest else 0
    return Cost(ledger.step_total.total, short, _price(config))


def check(config: RunConfig, cost: Cost) -> None:
    """Raises TooLong above the limit."""
    if cost.seconds > LIMIT_SECONDS:
        raise TooLong(
            f"layers = {printable(layers_text(config.layers))} at batch {in_full(config.batch_size)}: the scalar backend would "
            f"take about {duration(cost.seconds)} ({1 + cost.steps} steps of {si(cost.operations)} operations, "
            f"{duration(cost.seconds_per_operation)} each here), the limit is {duration(LIMIT_SECONDS)}: "
            "use a smaller network or batch, or force it (--force)",
            cost.seconds,
        )


def _price(config: RunConfig) -> float:
    """Seconds per scalar operation, the least of many steps of a narrow network with the same layers, loss and optimizer."""
    layers = tuple(min(size, _PRICED_WIDTH) for size in config.layers)
    small = replace(config, layers=layers, batch_size=min(config.batch_size, _PRICED_BATCH)).of_known_length()
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
        while len(seconds) < 3 or perf_counter() - begun < _PRICED_SECONDS:
            start = perf_counter()
            step.run(rows)
            seconds.append(perf_counter() - start)
    return min(seconds) / count(small).step_total.total
