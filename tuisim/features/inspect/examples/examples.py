"""Reading rows of the data with the network's answers and the loss of each, the worst first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.engine.look import Look
from tuisim.engine.session import Session
from tuisim.features.inspect.rows import answer_words, name_of, rows_of
from tuisim.features.inspect.weights.weights import image_side

Array = NDArray[Any]

MAX_EXAMPLES = 200
"""Examples that are listed."""
ALL, WRONG = "all", "wrong"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The selected example by its place in the list, and which are listed: all, the wrong ones, or those of one confusion."""

    place: int = 0
    listed: str | tuple[str, str] = ALL


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A row of the data."""

    number: int
    """Among the rows, from 0."""
    inputs: Array
    target: str
    answer: str
    loss: float
    outputs: Array
    """Probabilities of the classes or labels, or the outputs themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The listed rows, the largest loss first."""

    which: str
    """The rows that they are of: validation or training."""
    rows: int
    wrong: int | None
    """The number of rows with a wrong answer; None for a regression."""
    found: int
    """The number of rows that fit what is listed, of which `listed` has the worst."""
    listed: tuple[Example, ...]
    confusions: tuple[tuple[str, str, int], ...]
    """(target, answer, rows) of wrong answers, the most frequent first."""
    side: int | None
    """The side of the image that the inputs are; None if they are none."""
    names: tuple[str, ...]
    """Names of the outputs."""


def look_at(listed: str | tuple[str, str]) -> Look:
    """Return a look at the rows of one kind."""
    return Look(partial(_read, listed))


def _read(listed: str | tuple[str, str], session: Session) -> Examples:
    X, Y, which = rows_of(session)
    parts: list[Array] = []
    session.network.evaluate(X, Y, each=lambda _, outputs: parts.append(outputs))
    outputs = np.concatenate(parts)
    losses = row_losses(outputs, Y, session.config.loss)
    pairs = answer_words(session, outputs, Y)
    is_judged = session.data.kind != "regression"
    wrong = [is_judged and target != answer for target, answer in pairs]
    fit = [listed in (ALL, pair) or (listed == WRONG and is_wrong) for pair, is_wrong in zip(pairs, wrong, strict=True)]
    order = np.argsort(-np.nan_to_num(losses, nan=np.inf), kind="stable")
    chosen = [row for row in order.tolist() if fit[row]][:MAX_EXAMPLES]
    shown = probabilities(outputs, session.config.loss)
    counts = Counter(pair for pair, is_wrong in zip(pairs, wrong, strict=True) if is_wrong)
    return Examples(
        which=which,
        rows=len(X),
        wrong=sum(wrong) if is_judged else None,
        found=sum(fit),
        listed=tuple(_example(row, X, pairs, losses, shown) for row in chosen),
        confusions=tuple((*pair, count) for pair, count in counts.most_common(MAX_EXAMPLES)),
        side=image_side(X.shape[1]),
        names=tuple(name_of(session.data.names, number) for number in range(outputs.shape[1])),
    )


def _example(row: int, X: Array, pairs: list[tuple[str, str]], losses: Array, shown: Array) -> Example:
    target, answer = pairs[row]
    return Example(row, X[row], target, answer, float(losses[row]), shown[row])


def row_losses(outputs: Array, targets: Array, loss: str) -> Array:
    """Return the loss of each row, (rows,) in float64; their mean is the loss of the network (see program.Kind)."""
    z = outputs.astype(np.float64)
    with np.errstate(all="ignore"):
        if loss == "cross_entropy":
            largest = z.max(axis=1)
            chosen = z[np.arange(len(z)), targets]
            found: Array = largest - chosen + np.log(np.exp(z - largest[:, None]).sum(axis=1))
        elif loss == "binary_cross_entropy":
            found = (np.logaddexp(0.0, z) - z * targets).mean(axis=1)
        else:
            found = np.square(z - targets).mean(axis=1)
    return found


def probabilities(outputs: Array, loss: str) -> Array:
    """Return softmax of the outputs for cross-entropy, the sigmoid for binary cross-entropy, else the outputs; float64."""
    z = outputs.astype(np.float64)
    with np.errstate(all="ignore"):
        if loss == "cross_entropy":
            powers = np.exp(z - z.max(axis=1, keepdims=True))
            found: Array = powers / powers.sum(axis=1, keepdims=True)
            return found
        return 1 / (1 + np.exp(-z)) if loss == "binary_cross_entropy" else z
