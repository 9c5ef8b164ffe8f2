"""Fields of a run that do not go together with its data, each with the value that would.

Known before anything is trained: ends of the layers, loss and output activation against the targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuisim.config import RunConfig
from tuisim.config.known_data import FIXED_INPUTS, FIXED_OUTPUTS, DataShape, known_shape, loss_of
from tuisim.data import info, shape
from tuisim.errors import DataError, MemoryNeeded, printable
from tuisim.units import layers_text

ONE_CLASS_OUTPUTS = 3
"""Outputs from which on binary_cross_entropy is the wrong loss for rows of one class each."""
UNBOUNDED = ("identity", "leaky_relu")
"""Output activations that reach any number."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A field that does not fit, why, and a value that does."""

    field: str
    value: str
    """The text of the value that the run has."""
    remedy: str
    """The reason, in words."""
    proposed: str
    """The text of a value that fits."""
    refused: bool = False
    """True if the run cannot start as it is."""

    @property
    def words(self) -> str:
        """The reason and the remedy in one line: `loss = mse: digits has 10 classes; use cross_entropy`."""
        return f"{self.field} = {printable(self.value)}: {self.remedy}; use {self.proposed}"


def suggestions(config: RunConfig) -> tuple[Suggestion, ...]:
    """Return what does not go together; none for a file that cannot be read, which loading it says."""
    try:
        found = shape.of_file(config) if info.is_file(config) else known_shape(config.resolved_dataset, _outputs(config))
    except (DataError, MemoryNeeded):
        return ()
    return tuple(_judge(config, config.fitted(found), found))


def _outputs(config: RunConfig) -> int | None:
    return config.layers[-1] if config.layers[-1] > 0 else None


def _judge(config: RunConfig, fitted: RunConfig, found: DataShape) -> Iterator[Suggestion]:
    name, loss, activation = printable(fitted.dataset, 30), fitted.loss, fitted.output_activation
    is_file = info.is_file(fitted)
    ends = _fitting_ends(fitted, found, is_file)
    if ends != (fitted.layers[0], fitted.layers[-1]):
        layers = layers_text((ends[0], *fitted.layers[1:-1], ends[1]))
        things = {"classes": "classes", "numbers": "numbers per target", "labels": "target columns"}[found.kind]
        said = f"{name} has {found.inputs:,} inputs and {found.outputs:,} {things}"
        yield Suggestion("layers", layers_text(config.layers), said, layers, refused=True)
    better = loss_of(found, ends[1])
    if fitted.dataset != "teacher" and loss != better and (said := _loss_misfit(fitted, found, ends[1])):
        yield Suggestion("loss", loss, f"{name} has {said}", better, refused=found.kind != "classes" or ends[1] == 1)
        loss = better
    if said := _activation_misfit(fitted, loss, is_file, found):
        yield Suggestion("output_activation", activation, said, "identity")


def _fitting_ends(fitted: RunConfig, found: DataShape, is_file: bool) -> tuple[int, int]:
    """Return the ends of the layers, changed where the data do not take them."""
    first, last = fitted.layers[0], fitted.layers[-1]
    if is_file or fitted.dataset in FIXED_INPUTS:
        first = found.inputs
    if is_file or fitted.dataset in FIXED_OUTPUTS:
        takes_one = found.kind == "classes" and fitted.loss != "cross_entropy" and (found.outputs == 2 or found.numeric)
        last = 1 if takes_one and last == 1 else found.outputs
    return first, last


def _loss_misfit(fitted: RunConfig, found: DataShape, outputs: int) -> str:
    """Return what the targets are, if the loss does not take them or learns them badly."""
    if found.kind == "numbers":
        return "numbers as targets"
    if found.kind == "labels":
        return "several classes per row" if fitted.loss == "cross_entropy" else ""
    if outputs == 1:
        return "a single output for its classes" if fitted.loss == "cross_entropy" else ""
    if fitted.loss == "mse" or outputs >= ONE_CLASS_OUTPUTS:
        return f"one of {found.outputs:,} classes per row, which {fitted.loss} learns more slowly"
    return ""


def _activation_misfit(fitted: RunConfig, loss: str, is_file: bool, found: DataShape) -> str:
    """Return why the output activation does not go with the loss or does not reach the targets."""
    activation = fitted.output_activation
    if activation == "identity" or (fitted.dataset == "teacher" and loss == "mse"):  # whose targets are made with it
        return ""
    if loss != "mse":
        return f"{loss} contains its own activation"
    if found.kind == "classes":
        return "an output that is 0 for every row never learns" if activation == "relu" else ""
    reaches = (*UNBOUNDED, "tanh") if fitted.dataset == "sine" else UNBOUNDED
    return "" if activation in reaches else f"it does not reach all targets{', which are standardized' * is_file}"
