"""The one description of a run: `RunConfig`, frozen, complete and already checked.

Built once at an edge (a form, flags, a TOML file) and handed down. It does not know whether the data exist, whether the
memory suffices or which backends work here: those are asked later, because counting needs none of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real
from typing import Any

from tuisim import threads
from tuisim.config.checks import CHECKS
from tuisim.config.choices import LEARNING_RATES
from tuisim.errors import ConfigError, Mistake
from tuisim.units import parse_layers


def usable_cores() -> int:
    """Cores this process may run on (its affinity, where the system knows one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> int:
    """BLAS threads of a run that asks for no number of them."""
    count = max(1, usable_cores() - 1)
    return count if threads.allowed is None else min(count, threads.allowed)


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
    momentum: float = 0.9
    """Share of the velocity kept in each step, μ, of momentum and nesterov."""
    beta1: float = 0.9
    """Share of the first moment kept in each step, β₁, of adam and adamw."""
    beta2: float = 0.999
    """Share of the second moment kept in each step, β₂, of adam and adamw."""
    rmsprop_decay: float = 0.99
    """Share of the squared-gradient average kept in each step, ρ, of rmsprop (PyTorch calls it alpha)."""
    epsilon: float = 1e-8
    """Added to the denominator, ε, of rmsprop, adam and adamw."""
    weight_decay: float = 0.0
    """Added to the gradient times the parameter (adamw: decoupled), on all parameters."""
    clip_norm: float | None = None
    """Longest gradient (the norm over all parameters) to follow; a longer one is scaled down to it. None: none is."""
    schedule: str = "constant"
    """How the rate moves: constant, step (to a tenth every schedule_steps) or cosine (down to 0 over schedule_steps)."""
    schedule_steps: int | None = None
    """Steps between drops, or of the whole cosine; none: a third of the run, or all of it."""
    warmup_steps: int = 0
    """Steps in which the rate first rises to its full value in a straight line."""
    dtype: str = "float32"
    """float32 or float64."""
    subnormals: str = "flush"
    """flush: numbers below the smallest normal one of the dtype (1.2e-38 for float32) become 0; keep: they stay, at a cost."""
    backend: str = "numpy"
    """What computes the step: numpy, scalar (plain Python), numba, cupy (a GPU), or auto, the best here for the network."""
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
        for name in (*COUNTS, *REALS):
            object.__setattr__(self, name, _plain(getattr(self, name)))
        if isinstance(self.hidden_activation, list):
            object.__setattr__(self, "hidden_activation", tuple(self.hidden_activation))
        if isinstance(self.dataset, os.PathLike):
            object.__setattr__(self, "dataset", os.fspath(self.dataset))
        mistakes = [Mistake(name, getattr(self, name), remedy) for name, check in CHECKS.items() if (remedy := check(self))]
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
            schedule_steps=self._schedule_length if self.schedule_steps is None else self.schedule_steps,
            threads=default_threads() if self.threads is None else self.threads,
        )

    def of_known_length(self) -> RunConfig:
        """The same run with some length for its schedule where none is given: for what one step costs any will do."""
        unknown = self.schedule != "constant" and self.schedule_steps is None
        return replace(self, schedule_steps=self.warmup_steps + 1) if unknown else self

    @property
    def _schedule_length(self) -> int | None:
        """Where none is asked for: all of the run for a cosine, a third of it between drops; none while its end is unknown."""
        if self.schedule == "constant" or self.epochs is None or self.examples is None:
            return None
        steps = self.epochs * -(-self.examples // self.batch_size)
        return steps if self.schedule == "cosine" else max(1, steps // 3)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and TOML."""
        plain = asdict(self)
        plain["layers"] = list(self.layers)
        if not isinstance(self.hidden_activation, str):
            plain["hidden_activation"] = list(self.hidden_activation)
        return plain


FIELDS = tuple(field.name for field in fields(RunConfig))
COUNTS = tuple(field.name for field in fields(RunConfig) if str(field.type).startswith("int"))
"""Fields that hold a whole number."""
REALS = tuple(field.name for field in fields(RunConfig) if str(field.type).startswith("float"))
"""Fields that hold a real number."""
OPTIONAL = tuple(field.name for field in fields(RunConfig) if str(field.type).endswith("None"))
"""Fields that may be None."""


def _plain(value: Any) -> Any:
    """NumPy's scalars as Python's own, anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value
