"""What there is to see of a run before it, and what the screens need of whoever can tell.

How it is found out, and when, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tuisim.config import RunConfig
from tuisim.predict.prediction import Memory, Prediction
from tuisim.predict.predictor import Predictor

SOON = "this machine is measured first, once"
"""Of what nobody need do anything about."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """How far a calibration has come."""

    key: str
    """`numpy@1 float32`."""
    done: int
    of: int

    @property
    def words(self) -> str:
        """`12 of 30`, once it has begun and until all are measured."""
        return {0: "getting ready", self.of: "adding it up"}.get(self.done, f"{self.done} of {self.of}")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What there is to see of one configuration."""

    prediction: Prediction | None = None
    measuring: Measuring | None = None
    trouble: str = ""
    """Why there is no prediction, or what is wrong with the card, in one line."""
    memory: Memory | None = None
    """What is counted all the same where there is no prediction."""

    @property
    def why_not(self) -> str:
        """What there is instead of a prediction, or is waited for; empty where there is one and nothing is wrong."""
        if self.measuring is not None:
            return f"measuring this machine, once … {self.measuring.words}"
        return self.trouble or ("" if self.prediction is not None else "reading the machine card …")


class AnyForecast(Protocol):
    """What the screens need of it."""

    @property
    def stamp(self) -> object:
        """Another one once `look` may answer otherwise."""

    @property
    def measuring(self) -> bool:
        """Whether it is at work on the machine, and a run would disturb it and be disturbed."""

    @property
    def outlook(self) -> Predictor | None:
        """Predictions at the machine's speed as it was last looked at, without looking again; none where there is no card."""

    def attend(self, config: RunConfig | None) -> None:
        """What is in front, to be made ready for; none: leave the machine alone."""

    def look(self, config: RunConfig) -> Foreseen: ...


class AppForecast(AnyForecast, Protocol):
    """A forecast that the app begins and ends."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
