"""Evaluating the network over the plane of its two inputs, or along its one input, with the data's rows beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.engine.figures import predicted_classes, target_classes, threshold_of
from tuisim.engine.look import Look
from tuisim.engine.session import Session

Array = NDArray[Any]

POINTS = 300
"""Rows of the data that are drawn."""
MARGIN = 0.15
"""Share of the data's range that is drawn beyond it on each side."""
COLUMNS, ROWS = 96, 64
"""Points of the grid; the network is evaluated once for each."""
CURVE_POINTS = 400


@dataclass(frozen=True, slots=True, eq=False)
class DecisionMap:
    """The network's outputs over two inputs, row 0 at the largest second input."""

    low: tuple[float, float]
    high: tuple[float, float]
    """The ranges of both inputs, as the network gets them."""
    outputs: Array
    """(rows, columns): the number of the class with the largest output, or the output itself."""
    is_classes: bool
    points: Array
    """(points, 2)."""
    targets: Array
    """(points,): class numbers or values."""
    names: tuple[str, ...]
    """Names of the classes; empty if they are numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The network's outputs over one input."""

    x: Array
    outputs: Array
    """(points, outputs)."""
    points: Array
    """(rows,): inputs of rows of the data."""
    targets: Array
    """(rows, outputs)."""


def look_at() -> Look:
    """Return a look at the network over its inputs."""
    return Look(_read)


def _read(session: Session) -> DecisionMap | Curve:
    X, Y = session.data.sample(POINTS)
    low, high = X.min(axis=0), X.max(axis=0)
    margin = MARGIN * np.maximum(high - low, 1e-6)
    low, high = low - margin, high + margin
    if X.shape[1] == 1:
        x = np.linspace(low, high, CURVE_POINTS, dtype=X.dtype)
        targets = Y.reshape(len(Y), -1).astype(np.float64)
        return Curve(x[:, 0].astype(np.float64), _outputs(session, x, Y), X[:, 0].astype(np.float64), targets)
    across = np.linspace(low[0], high[0], COLUMNS, dtype=X.dtype)
    down = np.linspace(high[1], low[1], ROWS, dtype=X.dtype)
    grid = np.stack(np.meshgrid(across, down), axis=2).reshape(-1, 2)
    outputs = _outputs(session, np.ascontiguousarray(grid), Y)
    is_classes = session.data.kind == "classes"
    found = predicted_classes(outputs, threshold_of(session.config.loss)) if is_classes else outputs[:, 0]
    targets = target_classes(Y) if is_classes else Y.reshape(len(Y), -1)[:, 0]
    return DecisionMap(
        low=(float(low[0]), float(low[1])),
        high=(float(high[0]), float(high[1])),
        outputs=found.reshape(ROWS, COLUMNS),
        is_classes=is_classes,
        points=X,
        targets=targets,
        names=session.data.names,
    )


def _outputs(session: Session, X: Array, like: Array) -> Array:
    """Return the network's outputs for the rows of X, (rows, outputs) in float64; `like` has targets of the right shape."""
    found: list[Array] = []
    targets = np.zeros((len(X), *like.shape[1:]), like.dtype)
    session.network.evaluate(X, targets, each=partial(_keep, found))
    return np.concatenate(found).astype(np.float64)


def _keep(found: list[Array], _: slice, outputs: Array) -> None:
    found.append(outputs)
