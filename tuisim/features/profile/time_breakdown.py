"""The recorded time breakdown of a run, which a waterfall divides further by a profile. What was not recorded is None."""

from __future__ import annotations

from dataclasses import dataclass

from tuisim.engine.events import Snapshot
from tuisim.features.profile.step_profile import StepProfile
from tuisim.program import Phase


@dataclass(frozen=True, slots=True)
class TimeBreakdown:
    """Seconds since the first batch, and their recorded parts."""

    wall_seconds: float
    """All of it, with pauses."""
    step_seconds: float
    """Seconds in steps: batch loading, shuffling, forward, loss, backward, update."""
    steps: float
    """The number of full batches: examples over the batch size."""
    validation_seconds: float | None = None
    probe_seconds: float | None = None
    paused_seconds: float | None = None
    making_seconds: float | None = None
    """Seconds of generating or loading rows during the run."""
    data_seconds: float | None = None
    """Seconds of batch loading and shuffling, which are part of the steps."""

    def outside_steps(self, key: str) -> float | None:
        """Return the seconds of one of the parts outside the steps."""
        seconds: float | None = getattr(self, f"{key}_seconds")
        return seconds

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> TimeBreakdown:
        """Return the breakdown of a run up to a snapshot."""
        return cls(
            snapshot.wall_seconds,
            snapshot.seconds,
            _full(snapshot.examples_seen, snapshot.config.batch_size, snapshot.config.examples),
            validation_seconds=snapshot.validation_seconds,
            probe_seconds=snapshot.instrumentation_seconds,
            paused_seconds=snapshot.wall_seconds - snapshot.training_seconds,
            data_seconds=_data(snapshot.phase_seconds, snapshot.step),
        )

    @classmethod
    def of_step(cls, profile: StepProfile) -> TimeBreakdown:
        """Return the breakdown of one step by itself."""
        return cls(profile.step_seconds, profile.step_seconds, 1, 0.0, 0.0, 0.0, 0.0)


def _data(phases: tuple[tuple[str, float], ...], steps: int) -> float | None:
    """Return the data phase of all steps from the median of the sampled ones; None if none was sampled."""
    each = dict(phases).get(Phase.DATA.value)
    return None if each is None else each * steps


def _full(examples_seen: int, batch: int, examples: int | None) -> float:
    """Return the number of full batches; a batch larger than the volume is one short batch."""
    return examples_seen / (min(batch, examples) if examples else batch)
