"""Projections of known networks: a lower bound of their training time at the best rate that this machine has shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tuisim import units
from tuisim.features.estimate.known.networks import KNOWN_NETWORKS, TRAINING_SOURCE, KnownNetwork
from tuisim.predict.predictor import Rate
from tuisim.provenance import Provenance


@dataclass(frozen=True, slots=True)
class KnownProjection:
    """A known network at one volume and number of epochs."""

    network: KnownNetwork
    seen: int | None
    """The examples of all epochs; None if no paper states them."""
    operations: int | None
    """Multiplications and additions, forward and backward."""
    seconds: float | None
    """The time at the best rate; None if that or the operations are not known."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        known = self.network
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
class KnownProjections:
    """All known networks at one rate. Volume and epochs are None if each network has its own."""

    rows: tuple[KnownProjection, ...]
    rate: Rate | None
    examples: int | None
    epochs: int | None

    @property
    def assumption(self) -> str:
        """The assumption behind the times."""
        if self.rate is None:
            return "no rate of this machine is known"
        rate = units.si(self.rate.value, "FLOP/s")
        return f"a lower bound, with all operations at the best rate measured here, {rate} by {self.rate.who}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        rate = self.rate and {"flops_per_second": self.rate.value, "who": self.rate.who}
        return {
            "examples": self.examples, "epochs": self.epochs, "rate": rate, "assumption": self.assumption,
            "rule": TRAINING_SOURCE, "rows": [row.to_dict() for row in self.rows],
        }  # fmt: skip

    def marks(self, path: str) -> dict[str, Provenance]:
        """Return the provenance of the numbers, if the document stands at `path`."""
        marks = {"examples": Provenance.GIVEN, "epochs": Provenance.GIVEN, "rows[]": Provenance.PUBLISHED}
        marks |= {"rows[].seconds": Provenance.PROJECTED} | ({"rate": self.rate.mark} if self.rate else {})
        return {f"{path}.{name}": mark for name, mark in marks.items()}


def project_known(rate: Rate | None, examples: int | None = None, epochs: int | None = None) -> KnownProjections:
    """Project the training time of each known network at `rate`; volume and epochs are by default as published."""
    rows = []
    for network in KNOWN_NETWORKS:
        seen = network.trained_on(examples, epochs)
        operations = None if seen is None else network.operations * seen
        rows.append(KnownProjection(network, seen, operations, _seconds(operations, rate)))
    return KnownProjections(tuple(rows), rate, examples, epochs)


def _seconds(operations: int | None, rate: Rate | None) -> float | None:
    """Return the time; None if an argument is not known, or no float is large enough."""
    if operations is None or rate is None or not (math.isfinite(rate.value) and rate.value > 0):
        return None
    try:
        seconds = operations / rate.value
    except OverflowError:  # more operations than a float can hold
        return None
    return seconds if math.isfinite(seconds) else None
