"""Rules on the network as it was configured: its first weights, its outputs and its loss."""

from __future__ import annotations

from tuisim.engine.health.hint import Hint
from tuisim.engine.health.reading import HealthReading
from tuisim.units import counted, percent

ONE_CLASS_OUTPUTS = 3
"""Outputs from which on binary_cross_entropy is the wrong loss for rows of one class each."""


def zero_initializer(reading: HealthReading) -> Hint | None:
    """Return a hint if all units of a hidden layer have the same weights.

    Units that start alike have the same gradient and stay alike, so that a layer is no more than one unit (Goodfellow, Bengio &
    Courville, *Deep Learning*, 2016, section 8.4: initial parameters need to "break symmetry" between units).
    """
    alike = next((layer for layer in reading.hidden if layer.has_identical_units), None)
    if alike is None:
        return None
    units = reading.config.layers[alike.layer]
    figure = f"all {units:,} units of layer {alike.layer} have the same weights"
    field, value = ("initializer", "he_normal") if reading.config.initializer == "zeros" else (None, None)
    return Hint("zero_initializer", "units are copies of each other", figure, field, value)


def mismatched_loss(reading: HealthReading) -> Hint | None:
    """Return a hint if loss, output activation and targets do not go together.

    cross_entropy and binary_cross_entropy contain softmax and sigmoid and expect outputs that can be any number (PyTorch's
    documentation of CrossEntropyLoss and BCEWithLogitsLoss); mse on classes learns more slowly and to a worse optimum (Golik,
    Doetsch & Ney, "Cross-entropy vs. squared error training", Interspeech 2013); rows of exactly one class are one softmax, not a
    sigmoid per class (Goodfellow et al. 2016, section 6.2.2); an output activation must be able to reach the targets.
    """
    config, data = reading.config, reading.data
    if config.loss != "mse" and config.output_activation != "identity":
        figure = f"{config.loss} has an activation of its own, after {config.output_activation}"
        return Hint("mismatched_loss", "mismatched loss", figure, "output_activation", "identity")
    if data.kind == "classes":
        outputs = config.layers[-1]
        if outputs >= 2 and config.loss == "mse":
            figure = f"mse on {outputs:,} classes"
            return Hint("mismatched_loss", "mismatched loss", figure, "loss", "cross_entropy")
        if outputs >= ONE_CLASS_OUTPUTS and config.loss == "binary_cross_entropy":
            figure = f"binary_cross_entropy on rows of one class out of {outputs:,}"
            return Hint("mismatched_loss", "mismatched loss", figure, "loss", "cross_entropy")
    if data.out_of_range > 0:
        figure = f"{config.output_activation} cannot reach {percent(data.out_of_range, 0)} of the targets"
        return Hint("mismatched_loss", "mismatched loss", figure, "output_activation", "identity")
    return None


def dead_outputs(reading: HealthReading) -> Hint | None:
    """Return a hint if ReLU outputs are 0 on every row of the sample though their targets are not.

    The gradient of a ReLU that is 0 on every row is 0, so the unit never changes again (Maas, Hannun & Ng, "Rectifier
    nonlinearities improve neural network acoustic models", 2013).
    """
    if reading.divergence is not None or not reading.layers or not reading.layers[-1].dead_units:
        return None
    outputs = reading.config.layers[-1]
    dead = round(reading.layers[-1].dead_units * outputs)
    zero_targets = outputs - reading.data.nonzero_outputs
    if dead <= zero_targets:
        return None
    figure = f"{dead:,} of {counted(outputs, 'output')}, 0 for every example"
    return Hint("dead_outputs", "dead outputs", figure, "output_activation", "identity")
