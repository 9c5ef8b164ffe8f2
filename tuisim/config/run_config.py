"""The description of a run: `RunConfig`, frozen, complete and already checked.

It is built once at an edge (a form, flags, a TOML file) and handed down. Data, memory and backends are checked later: counting
needs none of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from numbers import Integral, Real
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from tuisim.config import choices
from tuisim.config.field import Field
from tuisim.config.known_data import (
    DEFAULT_EXAMPLES,
    FINITE,
    SYNTHETIC,
    DataShape,
    epochs_of,
    known_shape,
    loss_of,
    validation_rows,
)
from tuisim.errors import ConfigError, Mistake, nearest, printable
from tuisim.threads import default_threads
from tuisim.units import AUTO, MAX_COUNT, layers_text, parse_layers

DEFAULT_LAYERS = (AUTO, 64, AUTO)
"""One hidden layer; the width is what tests/default_quality.py measures to be enough."""
MAX_SHALLOW = 2
"""Hidden layers up to which mse starts from the smaller weights of glorot_uniform: a smoother function overfits few rows later.
In deeper networks they would let the signal fade."""


def _parse_layers(text: str) -> tuple[int, ...]:
    """Read layer sizes; `auto` alone is one hidden layer between ends that the data decide."""
    return DEFAULT_LAYERS if text.strip() == "auto" else parse_layers(text)


def _check_layers(layers: Any) -> str:
    """Return the remedy for invalid layer sizes; an empty text for valid ones."""
    if not isinstance(layers, tuple) or not all(isinstance(size, int) and not isinstance(size, bool) for size in layers):
        return "whole numbers, inputs first, such as 64-32-10"
    if len(layers) < 2:
        return "give at least inputs and outputs, such as 64-10"
    if len(layers) - 1 > choices.MAX_WEIGHT_LAYERS:
        return f"at most {choices.MAX_WEIGHT_LAYERS} layers of weights"
    for position, size in enumerate(layers):
        if size == AUTO and position in (0, len(layers) - 1):
            continue
        if size == AUTO:
            return f"hidden layer {position} is auto; only inputs and outputs may be, such as auto-64-auto"
        where = "the number of inputs" if not position else "the number of outputs"
        if 0 < position < len(layers) - 1:
            where = f"the size of hidden layer {position}"
        if size < 1:
            return f"{where} is {size}; every layer needs at least one unit"
        if size > MAX_COUNT:
            return f"{where} is too large to count"
    return ""


def _check_dataset(dataset: Any) -> str:
    """Return the remedy for what is neither a known name nor like a path nor a file; an empty text for a valid dataset."""
    if not isinstance(dataset, str) or not dataset:
        return "a name or a path; one of " + ", ".join(choices.DATASETS)
    if dataset in choices.DATASETS or not _is_bare(dataset) or os.path.isfile(os.path.expanduser(dataset)):
        return ""
    return nearest(dataset, choices.DATASETS)


def _is_bare(dataset: str) -> bool:
    """Return True if `dataset` does not look like a path: it has no separator and no dot."""
    return not any(mark in dataset for mark in (os.sep, "/", "."))


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """The network, its training, the data and the machine of a run.

    Raises ConfigError with every mistake at once, each naming its field.
    """

    # fmt: off
    layers: Annotated[tuple[int, ...], Field(
        "network", "inputs first",
        "Units per layer, inputs first, outputs last: 64-32-10 has 64·32 + 32·10 weights and 42 biases. The first or the "
        "last may be auto: taken from the data.", parser=_parse_layers, check=_check_layers, writer=layers_text,
    )] = DEFAULT_LAYERS
    hidden_activation: Annotated[str | tuple[str, ...], Field(
        "network", "one, or per layer",
        "Activation after each hidden layer: one name for all, or one per hidden layer with commas between them.",
        choices=choices.ACTIVATIONS,
    )] = "relu"
    output_activation: Annotated[str, Field(
        "network", "after last layer",
        "Activation after the last layer; cross_entropy contains its softmax, binary_cross_entropy its sigmoid; auto: identity.",
        choices=("auto", *choices.ACTIVATIONS),
    )] = "auto"
    loss: Annotated[str, Field(
        "network", "mean over batch",
        "cross_entropy for classes, mse for numbers, binary_cross_entropy for multi-label targets; auto: by the data.",
        choices=("auto", *choices.LOSSES),
    )] = "auto"
    initializer: Annotated[str, Field(
        "network", "biases start at 0",
        "Distribution that the weights are drawn from; biases start at zero; auto: he_normal; glorot_uniform for mse with "
        "at most two hidden layers.",
        choices=("auto", *choices.INITIALIZERS), counted=False,
    )] = "auto"

    optimizer: Annotated[str, Field(
        "training", "update rule", "Update rule, applied after each batch.", choices=choices.OPTIMIZERS,
    )] = "sgd"
    learning_rate: Annotated[float | None, Field(
        "training", "step size",
        "Step size, which can be changed during the run; by default 0.1 for sgd, momentum and nesterov, 0.01 for "
        "rmsprop, 0.001 for adam and adamw.",
        none="optimizer default", above=0, counted=False,
    )] = None
    momentum: Annotated[float, Field(
        "training", "velocity kept, μ",
        "Momentum coefficient μ: the share of the velocity kept in each step (momentum, nesterov).", minimum=0, below=1,
    )] = 0.9
    beta1: Annotated[float, Field(
        "training", "first moment, β₁", "Decay rate of the first-moment average, β₁ (adam, adamw).", minimum=0, below=1,
    )] = 0.9
    beta2: Annotated[float, Field(
        "training", "second moment, β₂", "Decay rate of the second-moment average, β₂ (adam, adamw).", minimum=0, below=1,
    )] = 0.999
    rmsprop_decay: Annotated[float, Field(
        "training", "average kept, ρ",
        "Decay rate of the squared-gradient average, ρ (rmsprop; PyTorch calls it alpha).", minimum=0, below=1,
    )] = 0.99
    epsilon: Annotated[float, Field(
        "training", "in denominator, ε", "Number added to the denominator, ε (rmsprop, adam, adamw).",
    )] = 1e-8
    subnormals: Annotated[str, Field(
        "training", "below 1.2e-38",
        "flush: numbers below the dtype's smallest normal number (1.2e-38 for float32) become 0; keep: they are kept, "
        "which is slow on many processors.",
        choices=choices.SUBNORMALS,
    )] = "flush"
    weight_decay: Annotated[float, Field(
        "training", "adds λ·parameter", "Share of each parameter added to its gradient; adamw decouples it from the gradient.",
        minimum=0,
    )] = 0.0
    clip_norm: Annotated[float | None, Field(
        "training", "max gradient norm", "Maximum gradient norm over all parameters; a larger gradient is scaled down to it.",
        none="no clipping", above=0,
    )] = None
    schedule: Annotated[str, Field(
        "training", "of learning rate",
        "Change of the learning rate: constant, step (to a tenth every schedule_steps) or cosine (down to 0 over "
        "schedule_steps).",
        choices=choices.SCHEDULES,
    )] = "constant"
    schedule_steps: Annotated[int | None, Field(
        "training", "for step, cosine",
        "Steps between drops (step) or of the decay (cosine); by default a third of the run, or all of it.",
        none="by the run's length",
        minimum=1,
    )] = None
    warmup_steps: Annotated[int, Field(
        "training", "linear warmup", "Steps in which the learning rate rises linearly from 0 to its full value.", minimum=0,
    )] = 0
    batch_size: Annotated[int, Field("training", "examples per step", "Examples per step.", minimum=1)] = 32
    epochs: Annotated[int | None, Field(
        "training", "passes over data",
        "Passes over the training examples; auto: as many as make 10,000 steps, at least 10, fewer by early stopping.",
        none="until stopped", minimum=1, auto=True,
    )] = AUTO
    early_stopping: Annotated[str, Field(
        "training", "if epochs: auto",
        "Stop when the validation loss no longer improves, and keep the weights of its best check; auto: yes if epochs is auto "
        "and there are validation rows.",
        choices=choices.EARLY_STOPPING, counted=False,
    )] = "auto"
    patience: Annotated[int, Field(
        "training", "checks", "Checks of the validation loss without improvement before early stopping; one per epoch, at least "
        "50 steps apart.", minimum=1, counted=False,
    )] = 10

    dataset: Annotated[str, Field(
        "data", "auto: from layers",
        "A name, or the path of a table, NPY, NPZ or IDX file; auto: digits for 64 inputs and 10 classes, else teacher "
        "(the outputs of a random network).",
        choices=choices.DATASETS, check=_check_dataset,
    )] = "auto"
    target: Annotated[str | tuple[str, ...] | None, Field(
        "data", "column or array",
        "Column that holds the targets: its name or number, several with commas between them (one-hot or several numbers "
        "per row); NPZ: the array's name.",
        none="last column, or y", expects="columns' names or numbers", counted=False,
    )] = None
    drop: Annotated[str | tuple[str, ...] | None, Field(
        "data", "no inputs", "Columns of a table that are left out: names or numbers, with commas between them.",
        none="by their values", expects="columns' names or numbers", counted=False,
    )] = None
    categorical: Annotated[str | tuple[str, ...] | None, Field(
        "data", "one-hot encoded", "Columns of a table that hold categories, although they are numbers or have many values.",
        none="text, up to 50 values", expects="columns' names or numbers", counted=False,
    )] = None
    keep: Annotated[str | tuple[str, ...] | None, Field(
        "data", "as inputs", "Columns of a table that are inputs, although they look like row numbers, identifiers or constants.",
        none="by their values", expects="columns' names or numbers", counted=False,
    )] = None
    missing: Annotated[str, Field(
        "data", "empty cells",
        "Rows of a table with a missing input: drop leaves them out, mean fills in the mean of the training rows, error refuses "
        "them.",
        choices=choices.MISSING, counted=False,
    )] = "drop"
    task: Annotated[str, Field(
        "data", "auto: from values", "Kind of targets in a file; auto: by the values and the loss.", choices=choices.TASKS,
        counted=False,
    )] = "auto"
    examples: Annotated[int | None, Field(
        "data", "per epoch",
        "Training examples per epoch; by default all rows of a dataset, or 10,000 generated ones. More than the dataset "
        "has are repeated, reshuffled.",
        none="all rows, or 10,000", minimum=1,
    )] = None
    validation: Annotated[float, Field(
        "data", "fraction, 0: none", "Fraction of the examples kept for validation; 0: none.", minimum=0, below=1,
        expects="a fraction from 0 (none) to less than 1",
    )] = 0.1
    validation_data: Annotated[str | None, Field(
        "data", "a second file", "File with the validation rows, read and scaled as the dataset is, instead of a fraction of it.",
        none="part of the dataset", expects="the path of a file", counted=False,
    )] = None
    scaling: Annotated[str, Field(
        "data", "of the inputs",
        "Scaling of the inputs of a dataset that is read, with statistics of the training rows: standard (mean 0, standard "
        "deviation 1), minmax (0 to 1) or none; auto: bytes up to 255 are divided by 255, other numbers standardized.",
        choices=choices.SCALINGS, counted=False,
    )] = "auto"
    shuffle: Annotated[bool, Field("data", "in each epoch", "Shuffle the training examples in each epoch.", counted=False)] = True

    backend: Annotated[str, Field(
        "machine", "computes the step",
        "Backend that computes the step: numpy, scalar (plain Python), numba, cupy (a GPU), or auto, the best available "
        "one for the network.",
        expects="a backend's name", counted=False,
    )] = "numpy"
    threads: Annotated[int | None, Field(
        "machine", "matrix products",
        "Threads for matrix products; by default one per core that is free at the start, at most one less than the usable "
        "cores, at least one.",
        none="by the free cores", minimum=1, maximum=choices.MAX_THREADS, counted=False,
    )] = None
    dtype: Annotated[str, Field(
        "machine", "of every number",
        "Type of every number: float32 has 4 bytes, float64 has 8; the scalar backend computes in float64.",
        choices=choices.DTYPES,
    )] = "float32"
    seed: Annotated[int, Field("machine", "of random draws", "Seed of every random draw.", minimum=0, counted=False)] = 0
    # fmt: on

    def __post_init__(self) -> None:
        remedies: dict[str, str] = {}
        for name, field in FIELDS.items():
            try:
                value = _plain(getattr(self, name), field)
            except ValueError as error:
                remedies[name] = str(error)
                continue
            object.__setattr__(self, name, value)
            if remedy := field.refusal(value):
                remedies[name] = remedy
        for name, (needed, rule) in _RULES.items():
            if not remedies.keys() & {name, *needed} and (remedy := rule(self)):
                remedies[name] = remedy
        if remedies:
            raise ConfigError([Mistake(name, getattr(self, name), remedies[name]) for name in FIELDS if name in remedies])

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation after each layer of weights, the output's last."""
        hidden = self.hidden_activation
        names = (hidden,) * (len(self.layers) - 2) if isinstance(hidden, str) else tuple(hidden)
        return (*names, "identity" if self.output_activation == "auto" else self.output_activation)

    @property
    def parameter_count(self) -> int:
        """Σ (inputs + 1) · outputs over the layers of weights."""
        return sum((n + 1) * m for n, m in zip(self.layers, self.layers[1:], strict=False))

    @property
    def resolved_dataset(self) -> str:
        """The dataset's name or path with `auto` decided; a file's bare name gets `./`, which stays a path without the file."""
        if self.dataset != "auto":
            is_file = self.dataset not in choices.DATASETS and _is_bare(self.dataset)
            return os.path.join(os.curdir, self.dataset) if is_file else self.dataset
        fits_digits = self.layers[0] in (64, AUTO) and self.layers[-1] in (10, AUTO) and self.loss in ("cross_entropy", "auto")
        return "digits" if fits_digits else "teacher"

    @property
    def is_fitted(self) -> bool:
        """True if nothing is left for the data to decide."""
        texts = (self.dataset, self.loss, self.output_activation, self.initializer, self.early_stopping)
        return "auto" not in texts and AUTO not in (*self.layers, self.epochs)

    @property
    def needs_data(self) -> bool:
        """True if only the rows of a file decide ends or loss."""
        named = self.dataset in choices.DATASETS
        return not named and (self.loss == "auto" or AUTO in self.layers)

    def fitted(self, shape: DataShape | None = None) -> RunConfig:
        """Return the same run with dataset, ends of the layers, loss, output activation and length decided, in this order.

        `shape`: that of the data in a file. Raises ConfigError if it is needed and not given.
        """
        if self.is_fitted:
            return self
        dataset, (first, *inner, last) = self.resolved_dataset, self.layers
        if shape is None:
            if dataset in FINITE or dataset in SYNTHETIC:
                shape = known_shape(dataset, None if last == AUTO else last)
            elif self.needs_data:
                field = "layers" if AUTO in self.layers else "loss"
                text = FIELDS[field].text(getattr(self, field))
                raise ConfigError([Mistake(field, text, f"give it, or read {printable(dataset)} first, which decides it")])
        if shape is not None:
            first, last = shape.inputs if first == AUTO else first, shape.outputs if last == AUTO else last
        loss = loss_of(shape, last) if self.loss == "auto" and shape is not None else self.loss
        rows, epochs, early_stopping = self._training_rows(dataset, shape), self.epochs, self.early_stopping
        if early_stopping == "auto" and (epochs != AUTO or rows is not None):
            has_validation = self.validation > 0 or self.validation_data is not None
            early_stopping = "yes" if epochs == AUTO and has_validation else "no"
        if epochs == AUTO and rows is not None:
            epochs = epochs_of(rows, self.batch_size)
        return replace(
            self, dataset=dataset, layers=(first, *inner, last), loss=loss, output_activation=self.activations[-1],
            initializer=self._initializer_for(loss), epochs=epochs, early_stopping=early_stopping,
        )  # fmt: skip

    def _initializer_for(self, loss: str) -> str:
        """Return the initializer, with `auto` decided by the loss and the depth."""
        if self.initializer != "auto":
            return self.initializer
        return "glorot_uniform" if loss == "mse" and len(self.layers) <= 2 + MAX_SHALLOW else "he_normal"

    @property
    def known_epochs(self) -> int | None:
        """The epochs; None if the run has no end, or if only the rows of a file decide its end."""
        return None if self.epochs == AUTO else self.epochs

    @property
    def full_batch(self) -> int:
        """Examples of a full step: the batch size, at most the training rows where their number is known."""
        dataset = self.resolved_dataset
        rows = self._training_rows(dataset, known_shape(dataset, None) if dataset in FINITE else None)
        return self.batch_size if rows is None else min(self.batch_size, rows)

    def _training_rows(self, dataset: str, shape: DataShape | None) -> int | None:
        """Return the training rows per epoch; None if only reading the file can tell."""
        if self.examples is not None or dataset in SYNTHETIC:
            return self.examples or DEFAULT_EXAMPLES
        if shape is None or shape.rows is None:
            return None
        has_own = self.validation_data is not None or shape.validation_rows is not None
        return shape.rows - (0 if has_own else validation_rows(shape.rows, self.validation))

    def resolved(self) -> RunConfig:
        """Return the same run with every `auto` decided and every `None` that has a default replaced by it.

        What only a file decides stays undecided: `examples`, and `auto` unless `fitted` was called with its shape.
        """
        fitted = replace(self, dataset=self.resolved_dataset) if self.needs_data else self.fitted()
        return replace(
            fitted,
            learning_rate=choices.LEARNING_RATES[self.optimizer] if self.learning_rate is None else self.learning_rate,
            schedule_steps=fitted._schedule_length if self.schedule_steps is None else self.schedule_steps,
            threads=default_threads() if self.threads is None else self.threads,
        )

    def with_network(self, layers: tuple[int, ...], **changes: Any) -> RunConfig:
        """Return the same run with other layers and other changes.

        If the depth changes, the first of several hidden activations becomes that of all hidden layers.
        """
        hidden = self.hidden_activation
        if not isinstance(hidden, str) and len(layers) != len(self.layers):
            hidden = hidden[0] if hidden else "relu"
        return replace(self, layers=layers, hidden_activation=hidden, **changes)

    def of_known_length(self) -> RunConfig:
        """Return the same run with some length for its schedule if it has none: the cost of one step does not depend on it."""
        unknown = self.schedule != "constant" and self.schedule_steps is None
        return replace(self, schedule_steps=self.warmup_steps + 1) if unknown else self

    @property
    def _known_steps(self) -> int | None:
        """The steps of the run; None if it has no end, or if only the rows of a file decide it."""
        if self.known_epochs is None or self.examples is None:
            return None
        return self.known_epochs * -(-self.examples // self.batch_size)

    @property
    def _schedule_length(self) -> int | None:
        """All steps of the run for a cosine, a third of them between drops; None without a schedule or a known length."""
        steps = self._known_steps
        if self.schedule == "constant" or steps is None:
            return None
        return steps if self.schedule == "cosine" else max(1, steps // 3)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON and TOML."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        if self.epochs == AUTO:
            plain["epochs"] = "auto"
        return plain | {"layers": ["auto" if size == AUTO else size for size in self.layers]}


def _declared() -> Mapping[str, Field]:
    """Return the fields as annotated, each with the name, type and default that the dataclass gives it."""
    hints, declared = get_type_hints(RunConfig, include_extras=True), {}
    for one in fields(RunConfig):
        annotated, field = get_args(hints[one.name])
        types = get_args(annotated) if isinstance(annotated, UnionType) else (annotated,)
        several = any(get_origin(type_) is tuple for type_ in types)
        assert (NoneType in types) == bool(field.none), one.name
        default = None if one.default is MISSING else one.default
        declared[one.name] = replace(field, name=one.name, type=types[0], several=several, default=default)
    return MappingProxyType(declared)


FIELDS = _declared()
"""The fields of a run by name, in the order of help, form and JSON."""


def _plain(value: Any, field: Field) -> Any:
    """Return NumPy's numbers, lists and paths as Python's numbers, tuples and texts; anything else unchanged.

    A text is read by the field's parser, if it has one, which raises ValueError with a remedy.
    """
    if isinstance(value, str) and field.parser is not None:
        return field.parser(value)
    if getattr(value, "shape", None) == ():  # a number or truth value of NumPy
        value = value.item()
    if field.auto and value == "auto":
        return AUTO
    if isinstance(value, bool) and "yes" in field.choices:
        return "yes" if value else "no"
    if isinstance(value, str | bool | bytes):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if field.several:
        value = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(value, Sequence):
            return value
        return tuple(AUTO if field.parser is _parse_layers and one == "auto" else _plain(one, field) for one in value)
    return value


# ── Rules that more than one field takes part in: each returns a remedy, or an empty text ──


def _one_per_hidden_layer(config: RunConfig) -> str:
    """Require one activation, or as many as there are hidden layers."""
    names, hidden = config.hidden_activation, len(config.layers) - 2
    if isinstance(names, str) or len(names) == hidden:
        return ""
    return f"{len(names)} names for {hidden} hidden layers; give one name, or one per hidden layer"


def _held_by_float32(name: str) -> Callable[[RunConfig], str]:
    """Return a rule that requires the field `name` to be within the range of the dtype."""

    def rule(config: RunConfig) -> str:
        value = getattr(config, name)
        return "too large for float32" if value is not None and config.dtype != "float64" and value > choices.FLOAT32_MAX else ""

    return rule


def _normal_epsilon(config: RunConfig) -> str:
    """Require an epsilon that is a normal number of the dtype: a smaller one would be flushed, and leave a division by 0."""
    dtype = "float64" if config.dtype == "float64" else "float32"
    if config.epsilon < choices.SMALLEST_NORMAL[dtype]:
        return f"a number from {choices.SMALLEST_NORMAL[dtype]:.3g}, the smallest normal one of {dtype}"
    return _held_by_float32("epsilon")(config)


def _long_enough(config: RunConfig) -> str:
    """Require a length of a schedule, and of a cosine one that is longer than the warm-up."""
    steps, warmup = config.schedule_steps, config.warmup_steps
    if steps is not None:
        too_short = config.schedule == "cosine" and steps <= warmup
        return f"more than the {warmup:,} warm-up steps, which are part of it" if too_short else ""
    if config.schedule != "constant" and config.epochs is None:
        return f"give the number of steps: a {config.schedule} schedule needs it if the run has no end"
    steps = config._known_steps
    if config.schedule != "cosine" or steps is None or steps > warmup:
        return ""
    return f"fewer warm-up steps than the {steps:,} of the whole run, or a longer run: {warmup:,} are asked for"


def _has_validation(config: RunConfig) -> str:
    """Require validation rows for early stopping."""
    is_without = config.early_stopping == "yes" and not config.validation and config.validation_data is None
    return "give validation rows, whose loss decides it" if is_without else ""


def _one_validation(config: RunConfig) -> str:
    """Refuse a fraction beside a file with the validation rows."""
    if config.validation_data is None or config.validation == FIELDS["validation"].default:
        return ""
    return "leave it out: validation_data has the validation rows"


_RULES: dict[str, tuple[tuple[str, ...], Callable[[RunConfig], str]]] = {
    "hidden_activation": (("layers",), _one_per_hidden_layer),
    **{name: ((), _held_by_float32(name)) for name in ("learning_rate", "weight_decay", "clip_norm")},
    "epsilon": ((), _normal_epsilon),
    "validation": (("validation_data",), _one_validation),
    "early_stopping": (("validation", "validation_data"), _has_validation),
    "schedule_steps": (("schedule", "epochs", "examples", "batch_size", "warmup_steps"), _long_enough),
}
"""By the field that is refused: the other fields that the rule needs, and the rule."""
