"""What a run has spent its wall time on, as far as it has kept account: what a waterfall is made of beside a profile.

It divides nothing; what is not known is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuisim.engine.events import Snapshot
from tuisim.engine.summary import Summary
from tuisim.features.profile.step_profile import Profile
from tuisim.program import Phase


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds since the first batch, and where they are known to have gone."""

    wall_seconds: float
    """Everything, pauses too."""
    step_seconds: float
    """In steps: gathering, shuffling, forward, loss, backward, update."""
    steps: float
    """Full batches' worth of them: examples over the batch."""
    validation_seconds: float | None = None
    probe_seconds: float | None = None
    paused_seconds: float | None = None
    making_seconds: float | None = None
    """Making or loading rows on the way."""
    data_seconds: float | None = None
    """Of the steps, gathering and shuffling."""

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> Spent:
        """What a run has spent up to a moment."""
        return cls(
            snapshot.wall_seconds,
            snapshot.seconds,
            _full(snapshot.examples_seen, snapshot.config.batch_size, snapshot.config.examples),
            validation_seconds=snapshot.validation_seconds,
            probe_seconds=snapshot.probe_seconds,
            paused_seconds=snapshot.wall_seconds - snapshot.training_seconds,
            data_seconds=_data(snapshot.phase_seconds, snapshot.step),
        )

    @classmethod
    def of_summary(cls, summary: Summary) -> Spent:
        """What a whole run has spent."""
        config = summary.config
        steps = _full(summary.examples_seen, config.batch_size, config.examples)
        data = _data(summary.phase_seconds, summary.steps)
        return cls(
            summary.wall_seconds,
            summary.seconds,
            steps,
            validation_seconds=summary.validation_seconds,
            probe_seconds=summary.probe_seconds,
            paused_seconds=summary.paused_seconds,
            data_seconds=data,
        )

    @classmethod
    def of_step(cls, profile: Profile) -> Spent:
        """One step by itself, with nothing round it."""
        return cls(profile.step_seconds, profile.step_seconds, 1, 0.0, 0.0, 0.0, 0.0)


def _data(phases: tuple[tuple[str, float], ...], steps: int) -> float | None:
    """Of the sampled steps' median, for all of them; none where no step was sampled."""
    each = dict(phases).get(Phase.DATA.value)
    return None if each is None else each * steps


def _full(examples_seen: int, batch: int, examples: int | None) -> float:
    """A batch larger than the volume is one short batch."""
    return examples_seen / (min(batch, examples) if examples else batch)
