"""What may be wrong with a run's description: one check per field, each a remedy in words or nothing.

It does not know whether the data exist, whether the memory suffices or which backends work here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tuisim.config.choices import (
    ACTIVATIONS,
    DATASETS,
    DTYPES,
    FLOAT32_MAX,
    INITIALIZERS,
    LOSSES,
    MAX_THREADS,
    MAX_WEIGHT_LAYERS,
    OPTIMIZERS,
    SCHEDULES,
    SMALLEST_NORMAL,
    SUBNORMALS,
    TASKS,
)
from tuisim.errors import nearest
from tuisim.units import MAX_COUNT, layers_text, parse_layers

if TYPE_CHECKING:
    from tuisim.config import RunConfig


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether `value` is a finite real number that a float holds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def _layers(config: RunConfig) -> str | None:
    layers: object = config.layers
    if isinstance(layers, str):
        try:
            return f"write the sizes as numbers, such as {layers_text(parse_layers(layers))}"
        except ValueError as error:
            return str(error)
    if not isinstance(layers, tuple) or not all(_is_int(size) for size in layers):
        return "whole numbers, inputs first, such as 64-32-10"
    if len(layers) < 2:
        return "give at least inputs and outputs, such as 64-10"
    if len(layers) - 1 > MAX_WEIGHT_LAYERS:
        return f"at most {MAX_WEIGHT_LAYERS} layers of weights"
    for position, size in enumerate(layers):
        if size < 1:
            return f"layers[{position}] is {size}; every layer needs at least one unit"
        if size > MAX_COUNT:
            return f"layers[{position}] is too large to count"
    return None


def _one_of(field: str, names: Sequence[str]) -> Callable[[RunConfig], str | None]:
    def check(config: RunConfig) -> str | None:
        value = getattr(config, field)
        if not isinstance(value, str):
            return "one of " + ", ".join(names)
        return None if value in names else nearest(value, names)

    return check


def _hidden_activation(config: RunConfig) -> str | None:
    given = config.hidden_activation
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        return "one name, or one per hidden layer"
    for name in names:
        if name not in ACTIVATIONS:
            return nearest(name, ACTIVATIONS)
    hidden = len(config.layers) - 2 if isinstance(config.layers, tuple) else 0
    if isinstance(given, str) or hidden < 0 or len(names) == hidden:
        return None
    return f"{len(names)} names for {hidden} hidden layers; give one name, or one per hidden layer"


def _dataset(config: RunConfig) -> str | None:
    if not isinstance(config.dataset, str) or not config.dataset:
        return "a name or a path; one of " + ", ".join(DATASETS)
    looks_like_path = any(mark in config.dataset for mark in (os.sep, "/", "."))
    return None if config.dataset in DATASETS or looks_like_path else nearest(config.dataset, DATASETS)


def _whole(field: str, least: int, what: str, optional: bool = False, most: int = MAX_COUNT) -> Callable[[RunConfig], str | None]:
    def check(config: RunConfig) -> str | None:
        value = getattr(config, field)
        if optional and value is None:
            return None
        return None if _is_int(value) and least <= value <= most else what

    return check


def _validation(config: RunConfig) -> str | None:
    value = config.validation
    return None if is_number(value) and 0 <= value < 1 else "a fraction from 0 (none) to less than 1"


def _learning_rate(config: RunConfig) -> str | None:
    value = config.learning_rate
    if value is None:
        return None
    return _beyond(config, value) if is_number(value) and value > 0 else "a number above 0"


def _kept_share(field: str) -> Callable[[RunConfig], str | None]:
    """A share of an optimizer's buffer that is kept from step to step."""

    def check(config: RunConfig) -> str | None:
        value = getattr(config, field)
        return None if is_number(value) and 0 <= value < 1 else "a number from 0 to less than 1"

    return check


def _epsilon(config: RunConfig) -> str | None:
    value, dtype = config.epsilon, "float64" if config.dtype == "float64" else "float32"
    if not is_number(value) or value < SMALLEST_NORMAL[dtype]:
        return f"a number from {SMALLEST_NORMAL[dtype]:.3g}, the smallest normal one of {dtype}"
    return _beyond(config, value)


def _weight_decay(config: RunConfig) -> str | None:
    value = config.weight_decay
    return _beyond(config, value) if is_number(value) and value >= 0 else "a number, 0 or more"


def _clip_norm(config: RunConfig) -> str | None:
    value = config.clip_norm
    if value is None:
        return None
    return _beyond(config, value) if is_number(value) and value > 0 else "a number above 0 (none: no clipping)"


def _schedule_steps(config: RunConfig) -> str | None:
    value, what = config.schedule_steps, "a whole number, 1 or more (none: by the run's length)"
    if value is None:
        endless = config.schedule in SCHEDULES[1:] and config.epochs is None
        if endless:
            return f"say over how many steps: a {config.schedule} schedule needs them where the run has no end"
        return _short_run(config)
    if not _is_int(value) or not 1 <= value <= MAX_COUNT:
        return what
    if config.schedule == "cosine" and _is_int(config.warmup_steps) and value <= config.warmup_steps:
        return f"more than the {config.warmup_steps:,} warm-up steps, which are part of it"
    return None


def _short_run(config: RunConfig) -> str | None:
    """Why a cosine that is to take all of the run cannot: the run, where its length is known, ends before the warm-up does."""
    length = (config.epochs, config.examples, config.batch_size, config.warmup_steps)
    if config.schedule != "cosine" or not all(_is_int(one) for one in length) or config.batch_size < 1:
        return None
    assert config.epochs is not None
    assert config.examples is not None
    steps = config.epochs * -(-config.examples // config.batch_size)
    if steps > config.warmup_steps or steps < 1:
        return None
    return f"fewer warm-up steps than the {steps:,} of the whole run, or a longer run: {config.warmup_steps:,} are asked for"


def _beyond(config: RunConfig, value: float) -> str | None:
    return "too large for float32" if config.dtype != "float64" and value > FLOAT32_MAX else None


def _text(field: str, what: str, optional: bool = False) -> Callable[[RunConfig], str | None]:
    def check(config: RunConfig) -> str | None:
        value = getattr(config, field)
        return None if (optional and value is None) or (isinstance(value, str) and value) else what

    return check


def _shuffle(config: RunConfig) -> str | None:
    return None if isinstance(config.shuffle, bool) else "true or false"


CHECKS: dict[str, Callable[[RunConfig], str | None]] = {
    "layers": _layers,
    "hidden_activation": _hidden_activation,
    "output_activation": _one_of("output_activation", ACTIVATIONS),
    "loss": _one_of("loss", LOSSES),
    "initializer": _one_of("initializer", INITIALIZERS),
    "dataset": _dataset,
    "target": _text("target", "a column's name or number", optional=True),
    "task": _one_of("task", TASKS),
    "examples": _whole("examples", 1, "a whole number, 1 or more", optional=True),
    "validation": _validation,
    "shuffle": _shuffle,
    "epochs": _whole("epochs", 1, "a whole number, 1 or more (none: until stopped)", optional=True),
    "batch_size": _whole("batch_size", 1, "a whole number, 1 or more"),
    "optimizer": _one_of("optimizer", OPTIMIZERS),
    "learning_rate": _learning_rate,
    **{field: _kept_share(field) for field in ("momentum", "beta1", "beta2", "rmsprop_decay")},
    "epsilon": _epsilon,
    "weight_decay": _weight_decay,
    "clip_norm": _clip_norm,
    "schedule": _one_of("schedule", SCHEDULES),
    "schedule_steps": _schedule_steps,
    "warmup_steps": _whole("warmup_steps", 0, "a whole number, 0 or more"),
    "dtype": _one_of("dtype", DTYPES),
    "subnormals": _one_of("subnormals", SUBNORMALS),
    "backend": _text("backend", "a backend's name"),
    "threads": _whole("threads", 1, f"a whole number from 1 to {MAX_THREADS}", optional=True, most=MAX_THREADS),
    "seed": _whole("seed", 0, "a whole number, 0 or more"),
}
