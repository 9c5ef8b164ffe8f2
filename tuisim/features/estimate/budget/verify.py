"""The verification of a budget's answer by a short real run: seconds per step, measured and predicted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Timer
from typing import TYPE_CHECKING, Any

from tuisim import units
from tuisim.data.info import row_bytes
from tuisim.engine import Control, Summary, Trainer
from tuisim.errors import ExitCode, TuisimError, printable
from tuisim.predict.prediction import Interval, Prediction
from tuisim.predict.record import Comparison, mean_step
from tuisim.terminal.text import duration_words

if TYPE_CHECKING:
    from tuisim.features.estimate.budget.budget import Answer

SECONDS = 2.0
"""Seconds for one answer."""
MAX_DATA = 16 * 2**20
"""Bytes of rows that the copy trains on, at least a batch: generating more would take longer than the run."""


@dataclass(frozen=True, slots=True)
class Verification:
    """Seconds per step; the measured ones are None if no step was made, and `words` say why."""

    steps: int
    measured: float | None
    predicted: float | None
    words: str

    @property
    def ratio(self) -> float | None:
        """Predicted over measured: below 1 if it took longer."""
        return self.predicted / self.measured if self.measured and self.predicted is not None else None

    @property
    def verdict(self) -> str:
        """Compare with the prediction: `6 % longer than predicted`; empty if nothing was measured."""
        if not self.measured or not self.predicted:
            return ""
        return Comparison(Interval(self.predicted, self.predicted, self.predicted), self.measured).in_full

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "steps": self.steps, "measured_seconds": self.measured, "predicted_seconds": self.predicted,
            "ratio": self.ratio, "words": self.words,
        }  # fmt: skip


def verify(answer: Answer, seconds: float = SECONDS, control: Control | None = None) -> Verification:
    """Train the answer's configuration for about `seconds`, and compare. Any obstacle is returned in words.

    `control` can stop it earlier.
    """
    prediction = answer.prediction
    if answer.config is None or prediction is None:
        return Verification(0, None, None, "nothing to verify")
    predicted = mean_step(prediction).likely

    def unverified(words: str) -> Verification:
        return Verification(0, None, predicted, words)

    if prediction.foreign:
        return unverified("predicted by another machine's profile: it cannot be verified on this one")
    if not prediction.step.likely <= seconds:
        return unverified(
            f"a step takes {duration_words(prediction.step.likely)}: too long to verify in {units.duration(seconds)}"
        )
    try:
        summary = _trained(prediction, seconds, control or Control())
    except MemoryError:
        return unverified("not verified: not enough memory")
    except TuisimError as error:
        return unverified(f"not verified: {printable(str(error), 500)}")
    if not summary.steps:
        why = summary.message if summary.exit_code is ExitCode.RUN_FAILED else "no step was made"
        return unverified(f"not verified: {printable(why, 500)}")
    measured = summary.seconds / summary.steps
    found = Verification(summary.steps, measured, predicted, "")
    words = f"{units.count(found.steps)} steps of {units.duration(measured)} measured, {units.duration(predicted)} predicted"
    return replace(found, words=": ".join(filter(None, (words, found.verdict))))


def _trained(prediction: Prediction, seconds: float, control: Control) -> Summary:
    """Train a copy with fewer rows, of whole batches, and no end, until a timer stops it."""
    config = prediction.config.of_known_length()
    batch = prediction.ledger.batch
    rows = max(1, MAX_DATA // row_bytes(config) // batch) * batch
    if prediction.ledger.examples is not None:
        rows = min(rows, prediction.ledger.examples)
    trainer = Trainer(replace(config, examples=rows, epochs=None, validation=0.0))
    timer = Timer(seconds, control.stop, ("long enough",))
    timer.daemon = True
    timer.start()
    try:
        return trainer.run(control=control, instrumented=False)
    finally:
        timer.cancel()
