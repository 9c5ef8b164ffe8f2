"""The answer to the question, claim by claim, for one network on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tuisim.config import RunConfig
from tuisim.config.presets import PRESETS
from tuisim.engine.step_time import Wanted, step_times
from tuisim.features.explain.answer.claims import Claim, Measured, claims
from tuisim.features.explain.answer.elementwise import element_times
from tuisim.measure.processor import environment
from tuisim.provenance import Provenance
from tuisim.units import layers_text

QUESTION = PRESETS[0].config
"""The network of the question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """All claims for one configuration."""

    config: RunConfig
    claims: tuple[Claim, ...]
    measured: Measured

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim answer --json` prints; `figures` are nested by row and column."""
        marks = {"config": Provenance.GIVEN}
        for claim in self.claims:
            marks |= {f"claims[].figures.{name}": figure.provenance for name, figure in claim.figures.items()}
        return {
            "config": self.config.to_dict(),
            "claims": [_plain(claim) for claim in self.claims],
            "unavailable": [
                {"backend": step.backend, "reason": step.reason} for step in self.measured.steps if step.seconds is None
            ],
            "environment": environment()
            | {"backends": {step.backend: step.device for step in self.measured.steps if step.seconds is not None}},
            "marks": marks,
        }


def answer(config: RunConfig = QUESTION, tell: Callable[[str], object] = lambda line: None) -> Answer:
    """Count and measure all seven claims for `config` in a few seconds; `tell` is given messages about the progress."""
    config, measured = config.resolved(), Measured()
    tell(f"counting {layers_text(config.layers)} batch {config.batch_size:,}, then timing its step on each backend")
    for measured in measure(config):
        if not measured.functions:
            tell("timing each activation against a multiplication")
    return Answer(config, claims(config, measured), measured)


def measure(config: RunConfig, known: Measured = Measured(), wanted: Wanted = lambda: True) -> Iterator[Measured]:  # noqa: B008
    """Yield the measured figures after each measurement that `known` lacks; stop once it is not wanted any more."""
    config = config.resolved()
    assert config.threads is not None
    if not known.steps and wanted():
        known = replace(known, steps=step_times(config, wanted))
        yield known
    if not known.functions and wanted():
        yield replace(known, functions=element_times(config.threads, wanted))


def _plain(claim: Claim) -> dict[str, Any]:
    figures: dict[str, dict[str, Any]] = {}
    for name, figure in claim.figures.items():
        row, column = name.split(".")
        figures.setdefault(row, {})[column] = figure.value
    return {"id": claim.id, "claim": claim.claim, "figures": figures, "verdict": claim.verdict, "holds": claim.holds}
