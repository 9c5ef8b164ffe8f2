"""Projections of known networks: a lower bound of their training time at the best rate that this machine has shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuisim import units
from tuisim.features.estimate.known.networks import KNOWN_NETWORKS, TRAINING_SOURCE, KnownNetwork
from tuisim.predict.profile import ProfileEntry
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
    """All known networks at the best rate of a profile entry, and the selected one.

    Volume and epochs are None if each network has its own.
    """

    rows: tuple[KnownProjection, ...] = ()
    best: ProfileEntry | None = None
    examples: int | None = None
    epochs: int | None = None
    selected: int = 0
    failure: str = ""

    @property
    def assumption(self) -> str:
        """The assumption behind the times."""
        if self.best is None:
            return "no rate of this machine is known"
        rate = units.si(self.best.best_rate, "FLOP/s")
        return f"a lower bound, with all operations at the best rate measured here, {rate} by {self.best.label}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        rate = self.best and {"flops_per_second": self.best.best_rate, "who": self.best.label}
        return {
            "examples": self.examples, "epochs": self.epochs, "rate": rate, "assumption": self.assumption,
            "rule": TRAINING_SOURCE, "rows": [row.to_dict() for row in self.rows],
        }  # fmt: skip


MARKS = {
    "examples": Provenance.GIVEN, "epochs": Provenance.GIVEN, "rate": Provenance.MEASURED, "rows[]": Provenance.PUBLISHED,
    "rows[].seconds": Provenance.PROJECTED,
}  # fmt: skip
"""The provenance of the numbers in the document of KnownState."""


def project_known(
    best: ProfileEntry | None, examples: int | None = None, epochs: int | None = None, selected: int = 0
) -> KnownState:
    """Project the training time of each known network at the best rate; volume and epochs are by default as published."""
    rows = []
    for network in KNOWN_NETWORKS:
        seen = network.trained_on(examples, epochs)
        operations = None if seen is None else network.operations * seen
        seconds = None if operations is None or best is None else operations / best.best_rate
        rows.append(KnownProjection(network, seen, operations, seconds))
    return KnownState(tuple(rows), best, examples, epochs, selected)
