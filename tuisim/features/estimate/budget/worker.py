"""A budget in the background, each answer published as soon as it is found; and an answer's short real run.

It does not know who looks.
"""

from __future__ import annotations

from collections.abc import Callable

from tuisim.config import RunConfig
from tuisim.engine import Control
from tuisim.engine.job import Background
from tuisim.errors import ConfigError
from tuisim.features.estimate.budget.budget import Answer, Limit, Predicts, ask
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification, verify
from tuisim.predict.prediction import Prediction


class _Left(Exception):
    """Nobody wants to know any more."""


class BudgetWorker(Background):
    """All questions about `config`; what one of them cannot be told without is said in its answer's place."""

    def __init__(self, config: RunConfig, limit: Limit, outlook: Callable[[], Predicts]) -> None:
        super().__init__("budget")
        self._config, self._limit, self._outlook = config, limit, outlook
        self._by: Predicts | None = None
        self.answers: tuple[Answer, ...] = ()
        """In the order of the questions, as far as they have been answered."""

    def work(self) -> None:
        self._by = self._outlook()
        try:
            for question in Question:
                self.answers = (*self.answers, self._asked(question))
        except _Left:
            return

    def predict(self, config: RunConfig) -> Prediction:
        """As the outlook says, while anybody wants to know."""
        assert self._by is not None
        if not self.wanted:
            raise _Left
        return self._by.predict(config)

    def _asked(self, question: Question) -> Answer:
        try:
            return ask(question, self._config, self, self._limit)
        except ConfigError as error:
            return Answer(question, None, None, None, None, "; ".join(map(str, error.mistakes)))


class VerificationWorker(Background):
    """One answer, held against a short real run."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("verification")
        self.answer = answer
        self.found: Verification | None = None
        self._control = Control()

    def stop(self) -> None:
        """The run ends after the steps it is at."""
        super().stop()
        self._control.stop("nobody wants to know any more")

    def work(self) -> None:
        self.found = verify(self.answer, control=self._control)
