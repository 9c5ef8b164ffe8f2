"""Reading a layer's weights, their gradients, or their changes by a step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from tuisim.engine.look import Look
from tuisim.engine.session import Session

Array = NDArray[Any]

KINDS = ("weights", "gradients", "updates")
MIN_SIDE = 8
"""Pixels of an image's side at least: fewer inputs are seldom a picture."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A layer, from 1, and what is shown of it."""

    layer: int = 1
    kind: str = KINDS[0]


@dataclass(frozen=True, slots=True, eq=False)
class LayerValues:
    """One number for each weight of a layer."""

    chosen: Chosen
    values: Array
    """(inputs, units)."""
    side: int | None
    """The side of the image that the inputs are; None if they are none."""


def look_at(chosen: Chosen) -> Look:
    """Return a look at the values of a layer."""
    if chosen.kind == "updates":
        return Look(partial(_read_update, chosen), before=lambda session: session.network.full.read(f"W{chosen.layer}"))
    return Look(partial(_read, chosen))


def _read(chosen: Chosen, session: Session) -> LayerValues:
    name = "gW" if chosen.kind == "gradients" else "W"
    return _found(chosen, session.network.full.read(f"{name}{chosen.layer}"))


def _read_update(chosen: Chosen, session: Session, before: Array) -> LayerValues:
    return _found(chosen, session.network.full.read(f"W{chosen.layer}") - before)


def _found(chosen: Chosen, values: Array) -> LayerValues:
    return LayerValues(chosen, values, image_side(len(values)) if chosen.layer == 1 else None)


def image_side(inputs: int) -> int | None:
    """Return the side of a square image of so many pixels; None if they are no square, or a small one."""
    side = math.isqrt(inputs)
    return side if side * side == inputs and side >= MIN_SIDE else None
