"""A machine profile made by hand: prices that can be added up on paper."""

from __future__ import annotations

from dataclasses import replace

from tuisim.config.choices import ACTIVATIONS
from tuisim.predict.machine import Machine, this_machine
from tuisim.predict.prices import Prices
from tuisim.predict.profile import MachineProfile, ProfileEntry
from tuisim.predict.run_costs import RunCosts
from tuisim.program import Kind

CALL, MULTIPLY, ELEMENT = 1e-6, 1e-9, 2e-9
"""Seconds of the call overhead of any operation, of a multiplication of a product, of an element of anything else."""
ELSEWHERE = Machine("Abacus 9000", 4, "Linux wood", "3.11.1", "2.0.0", "BeadBLAS 1.0 Oak", "", "", "", "0.1")


def prices(errors: tuple[float, ...] = (-0.1, 0.0, 0.1), backend: str = "numpy") -> Prices:
    """Return the same prices for every kind of operation."""
    products = {"call": CALL, "multiply": MULTIPLY}
    others = {"call": CALL, "element": ELEMENT}
    kinds: dict[str, dict[str, float]] = {}
    for kind in Kind:
        terms = products if kind in (Kind.DENSE, Kind.WEIGHT_GRADIENT, Kind.INPUT_GRADIENT) else others
        names = [kind.value]
        if kind in (Kind.ACTIVATION, Kind.ACTIVATION_GRADIENT):
            names = [f"{kind.value} {function}" for function in ACTIVATIONS]
        kinds |= {name: dict(terms) for name in names}
    return Prices(kinds, backend, errors=errors)


def entry(backend: str = "numpy", threads: int = 1, dtype: str = "float32") -> ProfileEntry:
    return ProfileEntry(
        backend=backend, threads=threads, dtype=dtype, device=f"{backend} by hand ×{threads}", made="2026-01-02T03:04:05+00:00",
        networks=80, peak_flops=2e11, peak_bytes=1e10, best_rate=5e10, evaluation=1.0,
        run=RunCosts(row=0.0, epoch=0.0, wall_start=0.0, wall_epoch=0.0, wall_share=0.0),
        prices=prices(backend=backend),
    )  # fmt: skip


def machine_profile(*entries: ProfileEntry, machine: Machine | None = None) -> MachineProfile:
    """Return a profile of this machine unless another is given."""
    return MachineProfile(machine or this_machine(), entries or (entry(),))


def with_run(one: ProfileEntry, **costs: float) -> ProfileEntry:
    return replace(one, run=replace(one.run, **costs))
