"""The rows of the data that the pages of Inspect look at: those of validation, or else rows of training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.engine.figures import predicted_classes, target_classes, threshold_of
from tuisim.engine.session import Session

Array = NDArray[Any]

MAX_ROWS = 1_000


def rows_of(session: Session) -> tuple[Array, Array, str]:
    """Return inputs and targets of up to MAX_ROWS rows, and which rows they are."""
    if session.data.validation is None:
        return *session.data.sample(MAX_ROWS), "training"
    X, Y = session.data.validation
    return X[:MAX_ROWS], Y[:MAX_ROWS], "validation"


def answer_words(session: Session, outputs: Array, targets: Array) -> list[tuple[str, str]]:
    """Return (target, answer of the network) of each row in words."""
    if session.data.kind == "classes":
        names = session.data.names
        pairs = zip(
            target_classes(targets).tolist(),
            predicted_classes(outputs, threshold_of(session.config.loss)).tolist(),
            strict=True,
        )
        return [(name_of(names, target), name_of(names, answer)) for target, answer in pairs]
    if session.data.kind == "multi-label":
        said = outputs > threshold_of(session.config.loss)
        return [(_labels(target > 0.5), _labels(answer)) for target, answer in zip(targets, said, strict=True)]
    return [(_values(target), _values(answer)) for target, answer in zip(targets, outputs, strict=True)]


def name_of(names: tuple[str, ...], number: int) -> str:
    """Return the name of a class; its number if it has none."""
    return names[number] if number < len(names) else str(number)


def _labels(said: Array) -> str:
    found = np.flatnonzero(said)
    return ",".join(map(str, found[:6].tolist())) + ("…" if len(found) > 6 else "") or "none"


def _values(row: Array) -> str:
    return " ".join(f"{value:.3g}" for value in np.ravel(row)[:3]) + (" …" if np.size(row) > 3 else "")
