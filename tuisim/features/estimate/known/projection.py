"""Projections of known networks: a lower bound of their training time at the best rate that this machine has shown."""

from __future__ import annotations

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
class KnownState:
    """All known networks at one rate, and the selected one. Volume and epochs are None if each network has its own."""

    rows: tuple[KnownProjection, ...] = ()
    rate: Rate | None = None
    examples: int | None = None
    epochs: int | None = None
    selected: int = 0
    failure: str = ""

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


MARKS = {
    "examples": Provenance.GIVEN, "epochs": Provenance.GIVEN, "rate": Provenance.MEASURED, "rows[]": Provenance.PUBLISHED,
    "rows[].seconds": Provenance.PROJECTED,
}  # fmt: skip
"""The provenance of the numbers in the document of KnownState."""


def project_known(rate: Rate | None, examples: int | None = None, epochs: int | None = None, selected: int = 0) -> KnownState:
    """Project the training time of each known network at `rate`; volume and epochs are by default as published."""
    rows = []
    for network in KNOWN_NETWORKS:
        seen = network.trained_on(examples, epochs)
        operations = None if seen is None else network.operations * seen
        seconds = None if operations is None or rate is None else operations / rate.value
        rows.append(KnownProjection(network, seen, operations, seconds))
    return KnownState(tuple(rows), rate, examples, epochs, selected)
