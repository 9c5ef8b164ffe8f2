"""A prediction compared with its run: a step, the whole run, and the time left."""

from __future__ import annotations

from tuisim import units
from tuisim.engine.events import Snapshot, State
from tuisim.predict.prediction import Prediction
from tuisim.predict.record import Comparison, comparable, compare_run, compare_steps, mean_step
from tuisim.provenance import Provenance, Tagged
from tuisim.terminal.lines import Frame, Line, Tone, width_of


class ComparedPrediction:
    """The prediction that was made before a run, compared with the run as it goes."""

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction
        self._step = mean_step(prediction)
        self._whole = True

    def interrupt(self) -> None:
        """Note that the run was paused: its wall time can no longer be compared, its steps can."""
        self._whole = False

    def left(self, snapshot: Snapshot) -> float | None:
        """Return the seconds left: as predicted, and by the measured throughput once there is one."""
        whole = self.whole(snapshot)
        if snapshot.state.ended or snapshot.speed_limit is not None or whole is None:
            return None
        if snapshot.throughput is not None and snapshot.seconds_left is not None:
            return snapshot.seconds_left
        if not self._whole:
            return None
        assert snapshot.total_steps is not None
        return whole * (1 - snapshot.step / snapshot.total_steps) if snapshot.total_steps else 0.0

    def whole(self, snapshot: Snapshot) -> float | None:
        """Return the predicted seconds of the whole run, by wall time if that was predicted."""
        if snapshot.total_steps is None:
            return None
        interval = self._prediction.wall_seconds or self._prediction.seconds or self._step.times(snapshot.total_steps)
        return interval.likely

    def step_line(self, snapshot: Snapshot, frame: Frame) -> list[Line]:
        """Return the line of a step: predicted and actual."""
        if snapshot.speed_limit is not None:
            return []
        return [_line(self._step.likely, self._step_score(snapshot), " a step", _took(snapshot, "takes"), frame)]

    def run_line(self, snapshot: Snapshot, frame: Frame) -> list[Line]:
        """Return the line of the whole run: predicted, and as it took or will take by the measured throughput."""
        interval = self._prediction.wall_seconds if self._whole else None
        if snapshot.speed_limit is not None or snapshot.total_steps is None or interval is None:
            return []
        left = self.left(snapshot) if snapshot.throughput is not None else None
        known = snapshot.state is State.COMPLETED or left is not None
        score = compare_run(self._prediction, snapshot.wall_seconds + (left or 0.0)) if known else None
        return [_line(interval.likely, score, " in all", _took(snapshot, "comes to"), frame)]

    def outcome(self, snapshot: Snapshot) -> str:
        """Return the comparison in a sentence; empty if the run cannot be compared."""
        parts = comparable(
            snapshot.state, snapshot.step, snapshot.seconds, paced=snapshot.speed_limit is not None,
            paused=not self._whole,
        )  # fmt: skip
        if parts.wall and (score := compare_run(self._prediction, snapshot.wall_seconds)):
            return str(score)
        if not parts.steps or (score := compare_steps(self._prediction, snapshot.step, snapshot.seconds)) is None:
            return ""
        return str(score).replace(", took", " a step, took")

    def _step_score(self, snapshot: Snapshot) -> Comparison | None:
        if snapshot.state.ended:
            return compare_steps(self._prediction, snapshot.step, snapshot.seconds)
        if snapshot.throughput is not None:
            return compare_steps(self._prediction, 1, 1 / snapshot.throughput.steps_per_second)
        return None


def _took(snapshot: Snapshot, meanwhile: str) -> str:
    return "took" if snapshot.state.ended else meanwhile


def _line(predicted: float, score: Comparison | None, of: str, took: str, frame: Frame) -> Line:
    """Return `predicted  51.0 µs a step, takes 55.2 µs: 8 % more`, in fewer words if there is no room."""
    likely = Tagged(units.duration(predicted), Provenance.PROJECTED)
    wide: Line = (("predicted".rjust(13), Tone.DIM), (Tagged(f" {likely:>8}", Provenance.PROJECTED), Tone.TEXT), (of, Tone.DIM))
    narrow: Line = (("predicted ", Tone.DIM), (likely, Tone.TEXT), (of, Tone.DIM))
    if score is None:
        return wide if frame.width >= width_of(wide) else narrow
    verdict = (Tagged(score.verdict, Provenance.PROJECTED), Tone.STRONG)
    actual: Line = ((f", {took} ", Tone.DIM), (units.duration(score.actual), Tone.TEXT), (": ", Tone.DIM), verdict)
    short: Line = (*narrow, (": ", Tone.DIM), verdict)
    return next((line for line in ((*wide, *actual), (*narrow, *actual), short) if width_of(line) <= frame.width), narrow)
