"""A proof with real counts, and rounding errors made by hand: those differ from machine to machine."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from tuisim.config import RunConfig
from tuisim.features.explain.proof import proof as proof_module
from tuisim.features.explain.proof.proof import Proof

CONFIG = RunConfig(layers=(5, 4, 3), examples=30, batch_size=8, threads=1)


@cache
def made_proof() -> Proof:
    """Return the proof of CONFIG."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof_module, "MAX_STEPS", 12)
        found = proof_module.prove(CONFIG)
    count, gradient, backend = found.checks
    gradient = replace(
        gradient, worst=2.4e-9, where="layer 1, W[3,2]", analytic=-0.0123456, numerical=-0.0123456, kinks=1, tolerance=1e-6
    )
    backend = replace(
        backend, worst=6.1e-8, where="layer 2, W[0,1]", tolerance=4.3e-7, largest_parameter=1.25, worst_loss=3.2e-8,
        loss_tolerance=2.9e-7, first_loss=1.2345, last_loss=0.9876, steps=12,
    )  # fmt: skip
    return replace(found, checks=(count, gradient, backend), seconds=1.5, scalar_seconds=0.4)
