"""Calibration: networks small and large are timed for some seconds, and a machine profile is fitted to the times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median
from time import perf_counter

from tuisim.accounting.ledger import step_operations
from tuisim.backends import get_backend
from tuisim.backends.protocol import OnDevice
from tuisim.config import RunConfig
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.errors import RunError, TuisimError
from tuisim.measure.peaks import peaks_of
from tuisim.predict import run_costs
from tuisim.predict.calibration_networks import FEW, MANY, networks
from tuisim.predict.machine import this_machine
from tuisim.predict.prices import fit
from tuisim.predict.profile import MachineProfile, ProfileEntry, ProfileError, ProfileKey
from tuisim.predict.sample import TURN_SECONDS, Sample, measure
from tuisim.program import StepProgram

INTERPRETED = "scalar"
MAX_PRODUCTS = {INTERPRETED: 20_000}
"""Maximum multiplications in the products of a forward step, by backend."""
MAX_PRODUCTS_ELSEWHERE = 100_000_000
PATIENCE, TOTAL_PATIENCE = 8.0, 15.0
"""Seconds for the networks of one entry, and for those of all entries together. The networks that remain are left out, except the
first FEW. On a calm machine the networks of three backends fit.
"""
EVALUATED = 7
"""One in this many networks is also timed in evaluation."""


Tell = Callable[[ProfileKey, int, int], None]
"""Called before each network with the key, the networks measured so far and their number; cancels by raising."""


def calibrate(
    keys: Sequence[ProfileKey],
    profile: MachineProfile | None = None,
    tell: Tell = lambda *_: None,
    *,
    quick: bool = False,
    of: int = 0,
) -> MachineProfile:
    """Return `profile` with a new entry for each of `keys`. Raises what a backend or `tell` raises.

    Raises RunError if an entry could not be read back, as with a clock that jumps. `of`: the number of keys together with those
    of other calls, which share the patience.
    """
    patience = min(PATIENCE, TOTAL_PATIENCE / max(of, len(keys), 1))
    profile = MachineProfile(this_machine(), ()) if profile is None else profile
    for key in keys:
        with get_backend(key.backend).threads(key.threads):
            entry = _entry(key, profile, tell, FEW if quick else MANY, patience)
        try:
            MachineProfile.from_dict(MachineProfile(profile.machine, (entry,)).to_dict())
        except ProfileError as error:
            raise RunError(
                f"no costs can be fitted to the measurements ({error}): try again with fewer programs running"
            ) from None
        profile = profile.with_entry(entry)
    return profile


def _entry(key: ProfileKey, profile: MachineProfile, tell: Tell, count: int, patience: float) -> ProfileEntry:
    backend = get_backend(key.backend)
    tell(key, 0, count)
    # The first step of a process may compile for seconds.
    config = RunConfig(layers=(3, 2), batch_size=1, backend=key.backend, threads=key.threads, dtype=key.dtype)
    BenchmarkCase(config.resolved(), 1, 0.0)
    before = backend.costs if isinstance(backend, OnDevice) else None
    samples, evaluations, device = _samples(key, tell, count, patience)
    tell(key, count, count)
    copy_rate = None
    if before is not None and isinstance(backend, OnDevice):
        spent = backend.costs - before
        copy_rate = spent.transfer_bytes / spent.transfer_seconds if spent.transfer_seconds > 0 else None
    peaks = peaks_of(backend, key.dtype, key.threads)
    prices = fit(samples, key.backend)
    # Plain Python has the costs of NumPy's runs, since its slow steps would hide them.
    runs = "numpy" if key.backend == INTERPRETED else key.backend
    known = next((entry.run for entry in profile.entries if entry.backend == runs != key.backend), None)
    return ProfileEntry(
        backend=key.backend,
        threads=key.threads,
        dtype=key.dtype,
        device=device,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        networks=len(samples),
        peak_flops=peaks.flops_per_second,
        peak_bytes=peaks.bytes_per_second,
        best_rate=max(step_operations(sample.program).multiply_adds / sample.step for sample in samples),
        # Prices are of training steps, whose losses also compute a gradient.
        evaluation=median(seconds / max(prices.step(program), 1e-9) for program, seconds in evaluations),
        run=known or run_costs.measure(runs, key.dtype, key.threads),
        prices=prices,
        copy_rate=copy_rate or None,
    )


def _samples(
    key: ProfileKey, tell: Tell, count: int, patience: float
) -> tuple[list[Sample], list[tuple[StepProgram, float]], str]:
    """Measure at most `count` networks, and at least FEW whatever the patience.

    Returns the samples, (evaluation program, seconds) of some networks, and the device.
    """
    until = perf_counter() + patience
    samples: list[Sample] = []
    evaluations: list[tuple[StepProgram, float]] = []
    device = ""
    limit = MAX_PRODUCTS.get(key.backend, MAX_PRODUCTS_ELSEWHERE)
    for number, config in enumerate(networks(key.backend, key.dtype, key.threads, count, limit)):
        if number >= FEW and perf_counter() > until:
            break
        if number:
            tell(key, number, count)
        try:
            case = BenchmarkCase(config, config.batch_size, TURN_SECONDS)
            samples.append(measure(case))
        except TuisimError:
            if number + 1 >= FEW and not samples:  # not this network alone
                raise
            continue
        device = case.device
        if number % EVALUATED == 0:
            evaluations.append(case.evaluated())
    return samples, evaluations, device
