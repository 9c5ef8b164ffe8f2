"""Calibration: networks small and large are timed for some seconds, and a machine profile is fitted to the times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from time import perf_counter

from tuisim.accounting.ledger import step_operations
from tuisim.backends import OnDevice, computes_with, get_backend
from tuisim.config import RunConfig
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.errors import RunError, TuisimError
from tuisim.measure.peaks import peaks_of
from tuisim.predict import run_costs
from tuisim.predict.calibration_networks import FEW, MANY, networks
from tuisim.predict.machine import this_machine
from tuisim.predict.prices import fit
from tuisim.predict.profile import MachineProfile, ProfileEntry, ProfileError
from tuisim.predict.run_costs import RunCosts
from tuisim.predict.sample import TURN_SECONDS, Sample, measure
from tuisim.program import StepProgram

INTERPRETED = "scalar"
MAX_PRODUCTS = {INTERPRETED: 20_000}
"""Maximum multiplications in the products of a forward step, by backend."""
MAX_PRODUCTS_ELSEWHERE = 100_000_000
PATIENCE, TOTAL_PATIENCE = 8.0, 15.0
"""Seconds for the networks of one entry, and of all entries made together; the rest of them are left out, but for the first
few. On a calm machine all of three backends fit.
"""
EVALUATED = 7
"""One of so many networks is evaluated as well."""


@dataclass(frozen=True, slots=True)
class ProfileKey:
    """A backend, its thread count and dtype: an entry of a profile has one."""

    backend: str
    threads: int
    dtype: str

    @classmethod
    def of(cls, backend: str, threads: int, dtype: str) -> ProfileKey:
        """Return the key that a run with these is predicted by: a backend may ignore threads or dtype."""
        return cls(backend, *computes_with(backend, threads, dtype))

    @property
    def key(self) -> str:
        """The key in words: `numpy@1 float32`."""
        return f"{self.backend}@{self.threads} {self.dtype}"


class Unwanted(TuisimError):
    """The calibration was cancelled; its measurements are discarded."""


Tell = Callable[[ProfileKey, int, int], None]
"""Called with the key, the networks measured so far and their number."""
Evaluation = tuple[StepProgram, float]
"""An evaluation program and its seconds."""


def calibrate(
    keys: Sequence[ProfileKey],
    profile: MachineProfile | None = None,
    tell: Tell = lambda *_: None,
    *,
    quick: bool = False,
    wanted: Callable[[], bool] = lambda: True,
    of: int = 0,
) -> MachineProfile:
    """Return `profile` with a new entry for each of `keys`. Raises what a backend raises.

    Raises Unwanted once it is no longer `wanted`, which is asked before each network. `of`: the number of keys together with
    those of other calls, which share the patience.
    """
    patience = min(PATIENCE, TOTAL_PATIENCE / max(of, len(keys), 1))
    profile = MachineProfile(this_machine(), ()) if profile is None else profile
    for key in keys:
        with get_backend(key.backend).threads(key.threads):
            entry = _entry(key, profile, tell, FEW if quick else MANY, wanted, patience)
            profile = profile.with_entry(_checked(entry, profile))
    return profile


def _checked(entry: ProfileEntry, profile: MachineProfile) -> ProfileEntry:
    """Return `entry` if it can be read back. Raises RunError if it cannot, as with a clock that jumps."""
    try:
        MachineProfile.from_dict(MachineProfile(profile.machine, (entry,)).to_dict())
    except ProfileError as error:
        raise RunError(f"no costs can be fitted to the measurements ({error}): try again with fewer programs running") from None
    return entry


def _entry(
    key: ProfileKey, profile: MachineProfile, tell: Tell, count: int, wanted: Callable[[], bool], patience: float
) -> ProfileEntry:
    backend = get_backend(key.backend)
    tell(key, 0, count)
    # The first step of a process may compile for seconds.
    config = RunConfig(layers=(3, 2), batch_size=1, backend=key.backend, threads=key.threads, dtype=key.dtype)
    BenchmarkCase(config.resolved(), 1, 0.0)
    before = backend.costs if isinstance(backend, OnDevice) else None
    samples, evaluations, device = _samples(key, tell, count, wanted, patience)
    tell(key, count, count)
    _check_wanted(wanted)
    copy_rate = None
    if before is not None and isinstance(backend, OnDevice):
        spent = backend.costs - before
        copy_rate = spent.transfer_bytes / spent.transfer_seconds if spent.transfer_seconds > 0 else None
    peaks = peaks_of(backend, key.dtype, key.threads)
    prices = fit(samples, key.backend)
    _check_wanted(wanted)
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
        # Prices have no counting of correct answers.
        evaluation=median(seconds / max(prices.step(program), 1e-9) for program, seconds in evaluations),
        run=_run_costs(key, profile),
        prices=prices,
        copy_rate=copy_rate or None,
    )


def _samples(
    key: ProfileKey, tell: Tell, count: int, wanted: Callable[[], bool], patience: float
) -> tuple[list[Sample], list[Evaluation], str]:
    """Measure at most `count` networks, and at least FEW whatever the patience; return samples, evaluations and the device."""
    until = perf_counter() + patience
    samples: list[Sample] = []
    evaluations: list[Evaluation] = []
    device = ""
    limit = MAX_PRODUCTS.get(key.backend, MAX_PRODUCTS_ELSEWHERE)
    for number, config in enumerate(networks(key.backend, key.dtype, key.threads, count, limit)):
        if number >= FEW and perf_counter() > until:
            break
        if number:
            tell(key, number, count)
        _check_wanted(wanted)
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


def _check_wanted(wanted: Callable[[], bool]) -> None:
    if not wanted():
        raise Unwanted("the calibration was cancelled")


def _run_costs(key: ProfileKey, profile: MachineProfile) -> RunCosts:
    """Return the costs of a run beside its steps; plain Python has NumPy's, since its slow steps would hide them."""
    if key.backend != INTERPRETED:
        return run_costs.measure(key.backend, key.dtype, key.threads)
    known = next((entry.run for entry in profile.entries if entry.backend == "numpy"), None)
    return run_costs.measure("numpy", key.dtype, key.threads) if known is None else known
