"""The fields of the setup form in their order: label, unit, the sentence the help screen shows, and the names to choose from.

A table and nothing more; what is typed in them is not its to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuisim.config.choices import ACTIVATIONS, DATASETS, DTYPES, INITIALIZERS, LOSSES, OPTIMIZERS, SCHEDULES, SUBNORMALS, TASKS

PER_LAYER = "per layer"
"""Hidden activations that differ, as the list of layers has them."""
FILE = "file…"
"""A dataset read from a path."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One field."""

    field: str
    """RunConfig's name for it; `path` is the form's own, where the dataset is a file."""
    label: str
    hint: str
    """The unit, in at most 22 characters."""
    what: str
    names: Sequence[str] = ()
    """What can be chosen; none: it is typed."""


LAYERS = Spec("layers", "layers", "units, inputs first", "Units per layer, inputs first, outputs last: 64-32-10.")

NETWORK = (
    Spec(
        "hidden_activation",
        "hidden f",
        "after hidden layers",
        "The activation after each hidden layer: one for all, or per layer by the list above.",
        (*ACTIVATIONS, PER_LAYER),
    ),
    Spec(
        "output_activation",
        "output f",
        "after the last layer",
        "The activation after the last layer; cross_entropy brings its softmax, binary_cross_entropy its sigmoid.",
        ACTIVATIONS,
    ),
    Spec(
        "loss",
        "loss",
        "mean over the batch",
        "cross_entropy for classes, mse for numbers, binary_cross_entropy for yes or no per output.",
        LOSSES,
    ),
    Spec("initializer", "weights start", "biases start at 0", "How the weights are drawn.", INITIALIZERS),
)

TRAINING = (
    Spec("optimizer", "optimizer", "the update rule", "The update rule, applied after each batch.", OPTIMIZERS),
    Spec(
        "learning_rate",
        "learning rate",
        "step size",
        "Step size; blank: the optimizer's usual one. It can be changed as it runs.",
    ),
    Spec("momentum", "momentum", "velocity kept, μ", "Share of the velocity kept in each step; blank: 0.9."),
    Spec("beta1", "beta1", "first moment kept", "Share of the first moment kept in each step; blank: 0.9."),
    Spec("beta2", "beta2", "second moment kept", "Share of the second moment kept in each step; blank: 0.999."),
    Spec(
        "rmsprop_decay",
        "rmsprop decay",
        "average kept, ρ",
        "Share of the squared-gradient average kept in each step; blank: 0.99. PyTorch calls it alpha.",
    ),
    Spec("epsilon", "epsilon", "in the denominator", "Added to the denominator of rmsprop, adam and adamw; blank: 1e-8."),
    Spec(
        "subnormals",
        "subnormals",
        "below 1.2e-38",
        "flush: numbers too small for all their digits become 0; keep: they stay, and many processors slow down.",
        SUBNORMALS,
    ),
    Spec(
        "weight_decay",
        "weight decay",
        "× parameter, per step",
        "Added to the gradient times the parameter; adamw applies it apart from the gradient.",
    ),
    Spec(
        "clip_norm",
        "clip norm",
        "of the whole gradient",
        "A gradient longer than this, over all parameters, is scaled down to it; blank: it is followed as it is.",
    ),
    Spec(
        "schedule",
        "schedule",
        "how the rate moves",
        "How the rate moves: constant, step (to a tenth, again and again) or cosine (down to 0).",
        SCHEDULES,
    ),
    Spec(
        "schedule_steps",
        "over steps",
        "of the schedule",
        "Steps between drops, or of the whole cosine; blank: a third of the run, or all of it.",
    ),
    Spec("warmup_steps", "warm-up", "steps, rate rising", "Steps in which the rate first rises to its full value."),
    Spec("batch_size", "batch", "examples per step", "Examples per step; 1e3 and 1,000 are read too."),
    Spec("epochs", "epochs", "times through", "Times through the examples; blank: until it is stopped."),
)

DATA = (
    Spec(
        "dataset",
        "dataset",
        "auto: what fits",
        "auto: the digits where 64 inputs and 10 classes fit, else a teacher network's answers; or a file.",
        (*DATASETS, FILE),
    ),
    Spec("path", "path", "CSV NPY NPZ IDX", "The file to read: CSV, NPY, NPZ, IDX or IDX.gz."),
    Spec("target", "target", "column or array", "The column (CSV: name or number; NPZ: array) that holds the answers."),
    Spec("task", "task", "auto: from the values", "Whether the answers are classes or regression.", TASKS),
    Spec(
        "examples",
        "examples",
        "per epoch",
        "Training examples per epoch, 1e6 if you like; more than there are go round again.",
    ),
    Spec(
        "validation",
        "held out",
        "fraction, 0: none",
        "Fraction of the examples kept for validation; 20% is read too.",
    ),
    Spec("shuffle", "shuffle", "new order each epoch", "Whether each epoch has an order of its own.", ("yes", "no")),
)


def machine(backends: Sequence[str]) -> tuple[Spec, ...]:
    """The fields on what computes, with the backends there are."""
    return (
        Spec(
            "backend",
            "backend",
            "computes the step",
            "What computes the step; auto: the best that works here for the network.",
            backends,
        ),
        Spec("threads", "threads", "to compute with", "Threads for matrix products; blank: usable cores less one."),
        Spec(
            "dtype",
            "precision",
            "of every number",
            "float32 has 4 bytes a number, float64 has 8; the scalar backend computes in float64.",
            DTYPES,
        ),
        Spec("seed", "seed", "0 or more", "Every random draw follows from it."),
    )
