"""What the edit at hand changes: a prediction beside that of before it.

All that is done to one field, until another is changed, is one edit: a number is typed a digit at a time. It does not know
who predicts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tuisim.accounting.operations import share
from tuisim.predict.prediction import Prediction

NETWORK = frozenset({"layers", "hidden_activation", "output_activation"})
"""Fields that the layer editor changes together."""
LEAST = 0.005
"""Shares below this are no change that could be told from noise."""


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit changed; none of what it left alone."""

    time: float | None
    """As a share of the time before: 0.12 is 12 % more. Of the run where both have an end, else of an epoch, else of a step."""
    of: str
    """What that time is of: `in all`, `an epoch`, `a step`."""
    step: float | None
    """The same of a step."""
    multiplications: float | None
    """More per example."""
    memory: float | None
    """As a share of the bytes before; none too where only one of the two has its data in it."""


class Edits:
    """Told of the form's texts and what they were predicted to take, each time either is new."""

    def __init__(self) -> None:
        self._texts: Mapping[str, str] | None = None
        self._field = ""
        self._before: Prediction | None = None
        self._latest: Prediction | None = None

    def take(self, texts: Mapping[str, str], prediction: Prediction | None) -> Change | None:
        """What the edit at hand has changed so far; none where there is nothing to hold it against."""
        if self._texts is not None and (changed := {name for name in texts if texts[name] != self._texts.get(name)}):
            field = "layers" if changed <= NETWORK else " ".join(sorted(changed))
            # Several at once are a preset, and each preset is an edit of its own.
            if field != self._field or " " in field:
                self._field, self._before = field, self._latest
        self._texts = dict(texts)
        if prediction is None:
            return None
        self._latest = prediction
        return None if self._before is None else change(self._before, prediction)


def change(before: Prediction, after: Prediction) -> Change:
    """From one prediction to the other, the machine's speed of the moment left out."""
    multiplications = _multiplications(after) - _multiplications(before)
    time, of = _time(before, after)
    unlike = (before.memory.data is None) != (after.memory.data is None)
    return Change(
        time=time,
        of=of,
        step=_share(before.step.likely / before.slowdown, after.step.likely / after.slowdown),
        multiplications=multiplications or None,
        memory=None if unlike else _share(before.memory_bytes, after.memory_bytes),
    )


def _time(before: Prediction, after: Prediction) -> tuple[float | None, str]:
    """By how much the longest time that both have differs, and which one that is."""
    names = {"wall_seconds": "in all", "seconds": "in all", "epoch": "an epoch", "step": "a step"}
    name = next(name for name in names if None not in (getattr(before, name), getattr(after, name)))
    first, second = (getattr(one, name).likely / one.slowdown for one in (before, after))
    return _share(first, second), names[name]


def _share(before: float, after: float) -> float | None:
    if not before or not math.isfinite(before) or not math.isfinite(after):
        return None
    more = after / before - 1
    return more if abs(more) >= LEAST else None


def _multiplications(prediction: Prediction) -> int | float:
    """Of one example."""
    ledger = prediction.ledger
    return share(ledger.step_total.multiply, ledger.batch)
