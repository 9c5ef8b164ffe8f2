"""Projections: how long a network would train at any volume of data, and how long the networks of the ladder would.

Whole numbers and floats alone: nothing is allocated, whatever the size. It does not know where a step's price comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuisim import data, units
from tuisim.accounting import count
from tuisim.accounting.operations import share
from tuisim.config import RunConfig
from tuisim.errors import ConfigError, Mistake
from tuisim.predict.interval import Interval
from tuisim.predict.known_networks import LADDER, TRAINING_SOURCE, Known
from tuisim.predict.predictor import Priced, Rate
from tuisim.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Volume:
    """A named number of examples."""

    name: str
    examples: int


VOLUMES = (
    Volume("the digits", 1_797),
    Volume("Fashion-MNIST", 60_000),
    Volume("ImageNet", 1_281_167),
    Volume("a billion", 10**9),
    Volume("a trillion", 10**12),
)
"""From what this program ships to what only language models see."""
ASSUMED_EPOCHS = 10
"""Of a run until stopped, for what only a run with an end can answer."""
EPOCHS = (1, 10, 90, 1_000)
"""Numbers of epochs to step through; 90 is what ImageNet is trained for."""


Price = Callable[[RunConfig], Sequence[Priced]]
"""What the configuration costs wherever it has been measured; its batch is no larger than its volume."""


# ── this network ──


@dataclass(frozen=True, slots=True)
class Projected:
    """How long a whole run would take on one backend."""

    label: str
    machine: str
    foreign: bool
    step: Interval | None
    """Seconds of a full step."""
    seconds: Interval | None
    """Of all steps; none where the step's are not known."""
    reason: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "backend": self.label, "machine": self.machine, "foreign": self.foreign,
            "step_seconds": self.step and self.step.to_dict(), "seconds": self.seconds and self.seconds.to_dict(),
            "reason": self.reason,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Projection:
    """A network at one volume and number of epochs, on each backend that has a price."""

    config: RunConfig
    volume: str
    """The volume's name; empty for one that has none."""
    examples: int
    epochs: int
    operations: int
    """Of all of it, the loss included."""
    rows: tuple[Projected, ...]

    @property
    def batch(self) -> int:
        """A batch larger than the volume is one short batch."""
        return min(self.config.batch_size, self.examples)

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.examples // self.batch)

    @property
    def operations_per_example(self) -> int | float:
        """Fractional where steps share their update unevenly."""
        return share(self.operations, self.examples * self.epochs)

    def to_dict(self) -> dict[str, Any]:
        return {
            "volume": self.volume, "examples": self.examples, "epochs": self.epochs, "batch": self.batch,
            "steps_per_epoch": self.steps_per_epoch,
            "operations": {"per_example": self.operations_per_example, "total": self.operations},
            "rows": [row.to_dict() for row in self.rows],
        }  # fmt: skip


def project(config: RunConfig, price: Price, examples: int | None = None, epochs: int | None = None) -> Projection:
    """How long `config`'s network would train; volume and epochs are the configuration's where they are not given.

    Its rows are taken to be there: what making or reading them takes is not in it. Raises ConfigError where volume or epochs
    are neither given nor known.
    """
    volume = data.rows(config) if examples is None else examples
    times = config.epochs if epochs is None else epochs
    mistakes = [Mistake("examples", None, "say how many: only reading the file would tell")] if volume is None else []
    mistakes += [Mistake("epochs", "none", "say how many: a run without an end has no length")] if times is None else []
    if volume is None or times is None:
        raise ConfigError(mistakes)
    # Whatever the volume, a schedule takes its operations; how long the configuration's own one is has no part in it.
    config = config.of_known_length()
    sized = replace(config, examples=volume, epochs=times)
    operations = sum(phase.total for phase in (count(sized).run or {}).values())
    rows = tuple(
        Projected(one.label, one.machine, one.foreign, one.step, one.epoch and one.epoch.times(times), one.reason)
        for one in price(replace(config, batch_size=min(config.batch_size, volume), examples=volume))
    )
    name = next((known.name for known in VOLUMES if known.examples == volume), "")
    return Projection(sized, name, volume, times, operations, rows)


# ── the ladder ──


@dataclass(frozen=True, slots=True)
class Rung:
    """A known network at one volume and number of epochs."""

    known: Known
    seen: int | None
    """Examples in all; none where no paper states it."""
    operations: int | None
    """Multiplications and additions, forward and backward."""
    seconds: float | None
    """At the best rate: none where that or the operations are not known."""

    def to_dict(self) -> dict[str, Any]:
        known = self.known
        return {
            "name": known.name, "year": known.year, "parameters": known.parameters,
            "forward_multiply_adds": known.forward, "example": known.example, "examples": known.examples,
            "epochs": known.epochs, "examples_seen": self.seen, "operations_per_example": known.operations,
            "operations": self.operations, "seconds": self.seconds,
            "sources": {
                "parameters": known.parameters_source, "forward_multiply_adds": known.forward_source,
                "training": known.training_source,
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Climb:
    """The ladder at one rate. Volume and epochs are none where each network has its own."""

    rungs: tuple[Rung, ...]
    rate: Rate | None
    examples: int | None
    epochs: int | None

    @property
    def assumption(self) -> str:
        """What the times take for granted."""
        if self.rate is None:
            return "no rate of this machine is known"
        rate = units.si(self.rate.value, "FLOP/s")
        return f"a lower bound: as if all ran at the best rate shown here, {rate} by {self.rate.who}"

    def to_dict(self) -> dict[str, Any]:
        rate = self.rate and {"flops_per_second": self.rate.value, "who": self.rate.who}
        return {
            "examples": self.examples, "epochs": self.epochs, "rate": rate, "assumption": self.assumption,
            "rule": TRAINING_SOURCE, "rows": [rung.to_dict() for rung in self.rungs],
        }  # fmt: skip


def climb(rate: Rate | None, examples: int | None = None, epochs: int | None = None) -> Climb:
    """How long each network of the ladder would train at `rate`; volume and epochs as published where they are not given."""
    return Climb(tuple(_rung(known, rate, examples, epochs) for known in LADDER), rate, examples, epochs)


def _rung(known: Known, rate: Rate | None, examples: int | None, epochs: int | None) -> Rung:
    seen = known.trained_on(examples, epochs)
    operations = None if seen is None else known.operations * seen
    return Rung(known, seen, operations, _seconds(operations, rate))


def _seconds(operations: int | None, rate: Rate | None) -> float | None:
    """None where either is not known, or no float is large enough."""
    if operations is None or rate is None or not (math.isfinite(rate.value) and rate.value > 0):
        return None
    try:
        seconds = operations / rate.value
    except OverflowError:  # more operations than a float can hold
        return None
    return seconds if math.isfinite(seconds) else None


# ── both, as a document ──


def document(projections: Sequence[Projection], ladder: Climb | None) -> dict[str, Any]:
    """What `tuisim project --json` prints. The projections are of one network; there may be none."""
    marks: dict[str, Provenance] = {}
    found: dict[str, Any] = {"config": None, "parameters": None, "projections": [], "ladder": None}
    if projections:
        config = projections[0].config
        # Volume and epochs are each projection's own.
        found["config"] = config.to_dict() | {"examples": None, "epochs": None}
        found["parameters"] = config.parameter_count
        found["projections"] = [projection.to_dict() for projection in projections]
        marks |= {
            "config": Provenance.GIVEN, "parameters": Provenance.COUNTED, "projections[].examples": Provenance.GIVEN,
            "projections[].epochs": Provenance.GIVEN, "projections[].batch": Provenance.GIVEN,
            "projections[].steps_per_epoch": Provenance.COUNTED, "projections[].operations": Provenance.COUNTED,
            "projections[].rows[]": Provenance.PROJECTED,
        }  # fmt: skip
    if ladder is not None:
        found["ladder"] = ladder.to_dict()
        marks |= {
            "ladder.examples": Provenance.GIVEN, "ladder.epochs": Provenance.GIVEN, "ladder.rows[]": Provenance.PUBLISHED,
            "ladder.rows[].seconds": Provenance.PROJECTED,
        }  # fmt: skip
        marks |= {"ladder.rate": ladder.rate.mark} if ladder.rate else {}
    return found | {"marks": marks}
