"""Calibration: networks large and small, run for some seconds, and the card that comes of it.

It knows how to measure one backend after another; what the figures are used for it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import fmean, median
from time import perf_counter

from tuisim.accounting.ledger import step_operations
from tuisim.backends import Backend, Costs, OnDevice, computes_with, get_backend
from tuisim.config import RunConfig
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.errors import RunError, TuisimError
from tuisim.measure.machine_speed import QUIET, SpeedMeter, SpeedSample
from tuisim.measure.peaks import peaks_of
from tuisim.measure.roofs import roofs_of
from tuisim.predict import run_costs as runcosts
from tuisim.predict.calibration_networks import FEW, MANY, networks
from tuisim.predict.machine import this_machine
from tuisim.predict.price import Floors
from tuisim.predict.prices import Prices, as_felt, at_best, best_product, fit
from tuisim.predict.profile import MachineProfile, ProfileEntry, ProfileError
from tuisim.predict.run_costs import RunCosts
from tuisim.predict.sample import TURN_SECONDS, Sample, measure
from tuisim.predict.work import FAR
from tuisim.program import StepProgram

INTERPRETED = "scalar"
MOST = {INTERPRETED: 20_000}
"""Multiplications of the products of a step forward, at most, by backend."""
MOST_ELSEWHERE = 100_000_000
PATIENCE, ALL_PATIENCE = 8.0, 15.0
"""Seconds for the networks of one entry, and of all that are made together; those beyond the first few that do not fit in it
are left out. On an undisturbed machine all of three backends fit.
"""
EVALUATED = 7
"""Of so many networks one is evaluated as well."""


@dataclass(frozen=True, slots=True)
class ProfileKey:
    """An entry to be made."""

    backend: str
    threads: int
    dtype: str

    @classmethod
    def of(cls, backend: str, threads: int, dtype: str) -> ProfileKey:
        """What a card must have for it."""
        return cls(backend, *computes_with(backend, threads, dtype))

    @property
    def key(self) -> str:
        return f"{self.backend}@{self.threads} {self.dtype}"


class Unwanted(TuisimError):
    """Nobody wants the card any more; what was measured for it is let go."""


Tell = Callable[[ProfileKey, int, int], None]
"""Told which job is at which network, of how many."""
Wanted = Callable[[], bool]
Evaluation = tuple[StepProgram, float, SpeedSample]
"""An evaluation program, its seconds, and the machine's speed when it was measured."""


def calibrate(
    jobs: Sequence[ProfileKey],
    card: MachineProfile | None = None,
    tell: Tell = lambda *_: None,
    *,
    quick: bool = False,
    wanted: Wanted = lambda: True,
    of: int = 0,
) -> MachineProfile:
    """A card with an entry for each of `jobs`, beside those that `card` has already. Raises what a backend raises.

    Raises Unwanted once it is not `wanted` any more, which is asked before each network. `of`: how many jobs there are with
    those of other calls, which share the patience.
    """
    patience = min(PATIENCE, ALL_PATIENCE / max(of, len(jobs), 1))
    card = MachineProfile(this_machine(), ()) if card is None else card
    for job in jobs:
        with get_backend(job.backend).threads(job.threads):
            meter = SpeedMeter(card.speed)
            entry = _entry(job, card, meter, lambda done, of, job=job: tell(job, done, of), quick, wanted, patience)  # type: ignore[misc]
            card = card.with_entry(_readable(entry, card))
    return card


def _readable(entry: ProfileEntry, card: MachineProfile) -> ProfileEntry:
    """What can be read again. Raises RunError where what was measured makes no prices, as with a clock that jumps."""
    try:
        MachineProfile.from_dict(MachineProfile(card.machine, (entry,)).to_dict())
    except ProfileError as error:
        raise RunError(f"what was measured makes no prices ({error}): try again while less else is at work") from None
    return entry


def _entry(
    job: ProfileKey,
    card: MachineProfile,
    meter: SpeedMeter,
    tell: Callable[[int, int], None],
    quick: bool,
    wanted: Wanted,
    patience: float,
) -> ProfileEntry:
    backend = get_backend(job.backend)
    tell(0, count := FEW if quick else MANY)
    _set_up(job)
    before = backend.costs if isinstance(backend, OnDevice) else None
    samples, evaluations, device = _samples(job, meter, tell, count, wanted, patience)
    tell(count, count)
    _go_on(wanted)
    copied, launch = _handed_over(backend, before)
    best = meter.best
    disturbed = sum(sample.beat.over(best).most > QUIET for sample in samples) / len(samples)
    best_rate = max(_rate(sample) for sample in samples)  # as it was shown, whatever disturbed it
    samples = at_best(samples, best, job.backend)
    peaks = peaks_of(backend, job.dtype, job.threads)
    # Where the machine was disturbed meanwhile, a product of some network may be what came nearest to the peak.
    peak = max(peaks.flops_per_second, best_product(samples, job.backend))
    near, far = _byte_floors(backend, job.threads)
    prices = fit(samples, job.backend, Floors(multiply=2 / peak, near=near, far=far))
    # Those that were hardly disturbed are as they were measured: so is the beat that their prices belong to.
    beat = SpeedSample(fmean(one.beat.calls for one in samples), fmean(one.beat.work for one in samples))
    _go_on(wanted)
    return ProfileEntry(
        backend=job.backend,
        threads=job.threads,
        dtype=job.dtype,
        device=device,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        networks=len(samples),
        speed=beat,
        contention=meter.contention(beat),
        disturbed=disturbed,
        peak_flops=peak,
        peak_bytes=peaks.bytes_per_second,
        best_rate=best_rate,
        evaluation=_evaluation(prices, evaluations, beat, job.backend),
        run=_run_costs(job, card),
        prices=prices,
        copy_rate=copied,
        launch=launch,
    )


def _samples(
    job: ProfileKey, meter: SpeedMeter, tell: Callable[[int, int], None], count: int, wanted: Wanted, patience: float
) -> tuple[list[Sample], list[Evaluation], str]:
    """Measure at most `count` networks, FEW whatever the patience; return samples, evaluations and the device."""
    until = perf_counter() + patience
    samples: list[Sample] = []
    evaluations: list[Evaluation] = []
    device = ""
    most = MOST.get(job.backend, MOST_ELSEWHERE)
    for number, config in enumerate(networks(job.backend, job.dtype, job.threads, count, most)):
        if number >= FEW and perf_counter() > until:
            break
        if number:
            tell(number, count)
        _go_on(wanted)
        try:
            subject = BenchmarkCase(config, config.batch_size, TURN_SECONDS)
            samples.append(measure(subject, meter))
        except TuisimError:
            if number + 1 >= FEW and not samples:  # not this network alone
                raise
            continue
        device = subject.device
        if number % EVALUATED == 0:
            evaluations.append((*subject.evaluated(), samples[-1].beat))
    return samples, evaluations, device


def _set_up(job: ProfileKey) -> None:
    """Have the backend ready: the first step of a process may compile for seconds, which is nobody's to pay for."""
    config = RunConfig(layers=(3, 2), batch_size=1, backend=job.backend, threads=job.threads, dtype=job.dtype)
    BenchmarkCase(config.resolved(), 1, 0.0)


def _go_on(wanted: Wanted) -> None:
    if not wanted():
        raise Unwanted("the calibration was asked to stop")


def _handed_over(backend: Backend, before: Costs | None) -> tuple[float | None, float | None]:
    """Bytes per second copied to a device of its own and seconds to hand a step over, since `before`; none without one."""
    if before is None or not isinstance(backend, OnDevice):
        return None, None
    spent = backend.costs - before
    copied = spent.transfer_bytes / spent.transfer_seconds if spent.transfer_seconds > 0 else None
    # Nothing copied or nothing handed over is not known to cost nothing.
    return copied or None, spent.launch_seconds / spent.launched_steps or None if spent.launched_steps else None


def _run_costs(job: ProfileKey, card: MachineProfile) -> RunCosts:
    """Plain Python's runs are NumPy's but for their steps, which are so slow that little could be seen beside them."""
    if job.backend != INTERPRETED:
        return runcosts.measure(job.backend, job.dtype, job.threads)
    known = next((entry.run for entry in card.entries if entry.backend == "numpy"), None)
    return runcosts.measure("numpy", job.dtype, job.threads) if known is None else known


def _byte_floors(backend: Backend, threads: int) -> tuple[float, float]:
    """Return the least seconds of a byte in the fastest cache and at the level that holds a step out of cache; 0 if not known."""
    roofs = roofs_of(backend, threads)
    if not roofs:
        return 0.0, 0.0
    holding = [one.per_second for one in roofs if one.holds is None or one.holds >= FAR]
    return 1 / max(one.per_second for one in roofs), 1 / max(holding)


def _rate(sample: Sample) -> float:
    return step_operations(sample.program).multiply_adds / sample.step


def _evaluation(prices: Prices, evaluations: Sequence[Evaluation], best: SpeedSample, backend: str) -> float:
    """Measured, with the beat it was measured at, over priced: prices know no counting of right answers."""
    return median(
        seconds / max(prices.of(program).slowed(as_felt(beat.over(best), backend)).seconds, 1e-9)
        for program, seconds, beat in evaluations
    )
