"""The one description of a run: `RunConfig`, frozen, complete and already checked, with every name it may hold.

Built once at an edge (a form, flags, a TOML file) and handed down. It does not know whether the data exist, whether the
memory suffices or which backends work here: those are asked later, because counting needs none of them.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real
from typing import Any

from tuisim.errors import ConfigError, Mistake, nearest

ACTIVATIONS = ("identity", "relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu", "softplus", "elu")
LOSSES = ("cross_entropy", "mse", "binary_cross_entropy")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")
INITIALIZERS = (
    "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform", "normal", "zeros",
)  # fmt: skip
DATASETS = ("auto", "digits", "fashion_mnist", "moons", "spirals", "xor", "blobs", "sine", "teacher")
TASKS = ("auto", "classes", "regression")
DTYPES = ("float32", "float64")

LEARNING_RATES = {"sgd": 0.1, "momentum": 0.1, "nesterov": 0.1, "rmsprop": 0.01, "adam": 0.001, "adamw": 0.001}
"""The rate of each optimizer where none is asked for."""

MAX_WEIGHT_LAYERS = 64
MAX_THREADS = 1_024
FLOAT32_MAX = 3.4028234663852886e38
MAX_COUNT = 10**30
"""Counting is integer arithmetic and has no natural limit; this one keeps a typing slip from filling the screen."""


def parse_layers(text: str) -> tuple[int, ...]:
    """`64-32-10` as sizes. Raises ValueError where a part is not a whole number."""
    parts = text.strip().replace("×", "-").replace("x", "-").replace("–", "-").split("-")
    try:
        if max(map(len, parts)) > len(str(MAX_COUNT)):
            raise ValueError("a size is too large to count")
        return tuple(map(int, parts))
    except ValueError as error:
        too_large = "too large" in str(error)
        raise ValueError(str(error) if too_large else "write the sizes with dashes, inputs first, such as 64-32-10") from None


def layers_text(layers: Sequence[int]) -> str:
    return "-".join(map(str, layers))


def usable_cores() -> int:
    """Cores this process may run on (its affinity, where the system knows one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What to train, on what, how, and where.

    Raises ConfigError with every mistake at once, each naming its field.
    """

    layers: tuple[int, ...]
    """Units per layer, inputs first, outputs last: (64, 32, 10) has 64·32 + 32·10 weights and 42 biases."""
    hidden_activation: str | tuple[str, ...] = "relu"
    """One name for all hidden layers, or one per hidden layer."""
    output_activation: str = "identity"
    """What follows the last layer; cross_entropy contains its softmax and binary_cross_entropy its sigmoid."""
    loss: str = "cross_entropy"
    """cross_entropy (classes), mse (numbers) or binary_cross_entropy (yes or no per output)."""
    initializer: str = "he_normal"
    """How weights are drawn; biases start at zero."""
    dataset: str = "auto"
    """A name, or the path of a CSV, NPY, NPZ or IDX file; auto: digits where 64 inputs and 10 classes fit, else teacher."""
    target: str | None = None
    """The column (CSV: name or number; NPZ: array) that holds the answers; none: the last column, or y."""
    task: str = "auto"
    """Whether a file's answers are classes or regression; auto: told from the values and the loss."""
    examples: int | None = None
    """Training examples per epoch; none: all of a finite source, 10,000 of an endless one."""
    validation: float = 0.1
    """Fraction of the examples held out; 0: none."""
    shuffle: bool = True
    """Whether each epoch has an order of its own."""
    epochs: int | None = 10
    """Times through the examples; none: until stopped."""
    batch_size: int = 32
    """Examples per step."""
    optimizer: str = "sgd"
    """The update rule: sgd, momentum, nesterov, rmsprop, adam or adamw."""
    learning_rate: float | None = None
    """Step size; none: 0.1 for sgd, momentum and nesterov, 0.01 for rmsprop, 0.001 for adam and adamw."""
    weight_decay: float = 0.0
    """Added to the gradient times the parameter (adamw: decoupled), on all parameters."""
    dtype: str = "float32"
    """float32 or float64."""
    backend: str = "numpy"
    """What computes the step."""
    threads: int | None = None
    """BLAS threads; none: usable cores less one, at least one."""
    seed: int = 0
    """Every random draw follows from it."""

    def __post_init__(self) -> None:
        # Lists and strings are what JSON, TOML and people have; the frozen value holds tuples.
        if isinstance(self.layers, str):
            with contextlib.suppress(ValueError):  # a text that is no sizes stays, for its check to refuse
                object.__setattr__(self, "layers", parse_layers(self.layers))
        elif isinstance(self.layers, Sequence) and not isinstance(self.layers, bytes):
            object.__setattr__(self, "layers", tuple(map(_plain, self.layers)))
        elif hasattr(self.layers, "tolist"):
            object.__setattr__(self, "layers", tuple(self.layers.tolist()))
        for name in NUMBERS:
            object.__setattr__(self, name, _plain(getattr(self, name)))
        if isinstance(self.hidden_activation, list):
            object.__setattr__(self, "hidden_activation", tuple(self.hidden_activation))
        if isinstance(self.dataset, os.PathLike):
            object.__setattr__(self, "dataset", os.fspath(self.dataset))
        mistakes = [Mistake(name, getattr(self, name), remedy) for name, check in _CHECKS.items() if (remedy := check(self))]
        if mistakes:
            raise ConfigError(mistakes)

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation after each layer of weights, the output's last."""
        hidden = self.hidden_activation
        names = (hidden,) * (len(self.layers) - 2) if isinstance(hidden, str) else tuple(hidden)
        return (*names, self.output_activation)

    @property
    def parameter_count(self) -> int:
        """Σ (inputs + 1) · outputs over the layers of weights."""
        return sum((n + 1) * m for n, m in zip(self.layers, self.layers[1:], strict=False))

    @property
    def resolved_dataset(self) -> str:
        """The dataset's name or path with `auto` decided."""
        if self.dataset != "auto":
            return self.dataset
        fits_digits = self.layers[0] == 64 and self.layers[-1] == 10 and self.loss == "cross_entropy"
        return "digits" if fits_digits else "teacher"

    def resolved(self) -> RunConfig:
        """The same run with every `None` that has a default replaced by it; `examples` is the data's to say."""
        return replace(
            self,
            dataset=self.resolved_dataset,
            learning_rate=LEARNING_RATES[self.optimizer] if self.learning_rate is None else self.learning_rate,
            threads=max(1, usable_cores() - 1) if self.threads is None else self.threads,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and TOML."""
        plain = asdict(self)
        plain["layers"] = list(self.layers)
        if not isinstance(self.hidden_activation, str):
            plain["hidden_activation"] = list(self.hidden_activation)
        return plain


NUMBERS = ("examples", "validation", "epochs", "batch_size", "learning_rate", "weight_decay", "threads", "seed")
FIELDS = tuple(field.name for field in fields(RunConfig))


# ── The checks: one per field, each a remedy in words or nothing ─────────────────────────────────────────────────────


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's own, anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


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


def _weight_decay(config: RunConfig) -> str | None:
    value = config.weight_decay
    return _beyond(config, value) if is_number(value) and value >= 0 else "a number, 0 or more"


def _beyond(config: RunConfig, value: float) -> str | None:
    return "too large for float32" if config.dtype != "float64" and value > FLOAT32_MAX else None


def _text(field: str, what: str, optional: bool = False) -> Callable[[RunConfig], str | None]:
    def check(config: RunConfig) -> str | None:
        value = getattr(config, field)
        return None if (optional and value is None) or (isinstance(value, str) and value) else what

    return check


def _shuffle(config: RunConfig) -> str | None:
    return None if isinstance(config.shuffle, bool) else "true or false"


_CHECKS: dict[str, Callable[[RunConfig], str | None]] = {
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
    "weight_decay": _weight_decay,
    "dtype": _one_of("dtype", DTYPES),
    "backend": _text("backend", "a backend's name"),
    "threads": _whole("threads", 1, f"a whole number from 1 to {MAX_THREADS}", optional=True, most=MAX_THREADS),
    "seed": _whole("seed", 0, "a whole number, 0 or more"),
}
