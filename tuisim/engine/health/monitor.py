"""The health of a run in progress: readings at the rate of the gradient samples, and the hints on the latest."""

from __future__ import annotations

from functools import cached_property

from tuisim.engine.gradient_sample import GradientSampler
from tuisim.engine.health.data_facts import DataFacts, data_facts
from tuisim.engine.health.hint import Hint
from tuisim.engine.health.reading import HealthReading, ThreadTrial
from tuisim.engine.health.rules import hints
from tuisim.engine.session import Session
from tuisim.engine.validation import Validation


class HealthMonitor:
    """The latest hints on a run."""

    def __init__(self, session: Session, validation: Validation, gradients: GradientSampler) -> None:
        self._session, self._validation, self._gradients = session, validation, gradients
        self.hints: tuple[Hint, ...] = ()
        self.thread_trial: ThreadTrial | None = None

    @cached_property
    def data(self) -> DataFacts:
        """The figures of the training rows, computed at the first reading."""
        return data_facts(self._session.data)

    def reading(self) -> HealthReading:
        """Return the figures of the run at this moment."""
        session = self._session
        return HealthReading(
            config=session.config,
            data=self.data,
            step=session.tally.steps,
            learning_rate=session.learning_rate,
            divergence=session.divergence,
            curves=session.history.curves(),
            first_loss=session.history.losses.first,
            layers=self._gradients.layers,
            validation_accuracy=self._validation.figures.accuracy,
            training_accuracy=self._validation.training_accuracy,
            thread_trial=self.thread_trial,
        )

    def judge(self) -> None:
        """Take a reading and keep its hints."""
        self.hints = hints(self.reading())
