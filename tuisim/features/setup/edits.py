"""The effect of the last edit on the prediction.

All changes of one field until another one is changed are one edit: a number is typed digit by digit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tuisim.accounting.operations import share
from tuisim.config.values import Texts
from tuisim.predict.prediction import Prediction

NETWORK = frozenset({"layers", "hidden_activation", "output_activation"})
"""Fields that the layer editor changes together."""
MIN_SHARE = 0.005
"""A smaller change is not distinguishable from noise."""


@dataclass(frozen=True, slots=True)
class Change:
    """The changes that an edit makes; None for what it does not change."""

    time: float | None
    """As a share of the time before: 0.12 is 12 % more; of the run if both have an end, else of an epoch, else of a step."""
    of: str
    """The period that is compared: `run`, `epoch` or `step`."""
    step: float | None
    """The time of a step, as a share."""
    multiplications: float | None
    """The difference per example."""
    memory: float | None
    """Change relative to the bytes before; None, too, if only one of the two includes its data."""


class Edits:
    """The last edit of a form: follows its texts and their predictions."""

    def __init__(self) -> None:
        self._texts: Mapping[str, str] | None = None
        self._field = ""
        self._before: Prediction | None = None
        self._latest: Prediction | None = None

    def take(self, texts: Mapping[str, str], prediction: Prediction | None) -> Change | None:
        """Take new texts or a new prediction; return what the last edit has changed so far, None if nothing can be compared."""
        if self._texts is not None and (changed := {name for name in texts if texts[name] != self._texts.get(name)}):
            field = "layers" if changed <= NETWORK else " ".join(sorted(changed))
            # Several changes at once are a preset, and each preset is an edit of its own.
            if field != self._field or " " in field:
                self._field, self._before = field, self._latest
        self._texts = dict(texts)
        if prediction is None:
            return None
        self._latest = prediction
        return None if self._before is None else change(self._before, prediction)


class Undo:
    """The texts of a form before each edit. What is typed into one input without leaving it is one edit."""

    def __init__(self) -> None:
        self._before: list[Texts] = []
        self._now: Texts = {}
        self._typed_in: object = None
        self._changed: set[str] = set()

    @property
    def has_edits(self) -> bool:
        """True if there is an edit to undo."""
        return bool(self._before)

    def take(self, texts: Mapping[str, str], typed_in: object = None) -> None:
        """Take the texts after an edit; `typed_in` is the input that was typed into, if any."""
        changed = {name for name in texts if texts[name] != self._now.get(name)}
        if not changed:
            return
        if self._now and (typed_in is None or typed_in is not self._typed_in or not changed <= self._changed):
            self._before.append(self._now)
            self._changed = changed
        self._now, self._typed_in = dict(texts), typed_in

    def undo(self) -> Texts:
        """Return the texts before the last edit, and forget that edit."""
        self._now, self._typed_in = self._before.pop(), None
        return self._now


def change(before: Prediction, after: Prediction) -> Change:
    """Compare two predictions, both at the machine's best speed."""
    fewer, more = (share(one.ledger.step_total.multiply, one.ledger.batch) for one in (before, after))
    time, of = _time(before, after)
    unlike = (before.memory.data is None) != (after.memory.data is None)
    return Change(
        time=time,
        of=of,
        step=_share(before.step.likely / before.scale, after.step.likely / after.scale),
        multiplications=(more - fewer) or None,
        memory=None if unlike else _share(before.memory_bytes, after.memory_bytes),
    )


def _time(before: Prediction, after: Prediction) -> tuple[float | None, str]:
    """Return the change of the longest time that both have, and its name."""
    names = {"wall_seconds": "run", "seconds": "run", "epoch": "epoch", "step": "step"}
    name = next(name for name in names if None not in (getattr(before, name), getattr(after, name)))
    first, second = (getattr(one, name).likely / one.scale for one in (before, after))
    return _share(first, second), names[name]


def _share(before: float, after: float) -> float | None:
    if not before or not math.isfinite(before) or not math.isfinite(after):
        return None
    more = after / before - 1
    return more if abs(more) >= MIN_SHARE else None
