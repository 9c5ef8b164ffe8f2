"""Rules on the gradients of the layers: vanishing, exploding, and units without any."""

from __future__ import annotations

import math

from tuisim.engine.health.hint import Hint
from tuisim.engine.health.reading import HealthReading
from tuisim.measure.gradients import VANISHING_SHARE, LayerGradients
from tuisim.units import figure, percent

DEAD_SHARE = 0.4
"""Share of dead units in a layer from which on it is a fault."""
EXPLODING_NORM = 100.0
"""Gradient norm over all parameters, for standardized inputs; a few units are usual at the first step."""
SATURATING = ("sigmoid", "tanh")


def vanishing_gradients(reading: HealthReading) -> Hint | None:
    """Return a hint if a layer's gradient is far below the largest layer's and the network has not learned.

    Gradients shrink from layer to layer on their way back through saturating activations or weights that are too small (Glorot &
    Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010). The gradient of a network
    that has converged is small in all layers alike, so layers are compared with each other.
    """
    if reading.has_learned or reading.divergence is not None or any(_dead(layer) >= DEAD_SHARE for layer in reading.hidden):
        return None
    alive = [layer for layer in reading.layers if layer.norm > 0]
    if len(alive) < 2:
        return None
    alive.sort(key=lambda layer: layer.magnitude)
    least, largest = alive[0], alive[-1]
    if least.magnitude >= VANISHING_SHARE * largest.magnitude:
        return None
    words = f"layer {least.layer}'s is {figure(least.magnitude / largest.magnitude)} of layer {largest.layer}'s"
    if any(name in SATURATING for name in reading.config.activations[:-1]):
        return Hint("vanishing_gradients", "vanishing gradients", words, "hidden_activation", "relu")
    return Hint("vanishing_gradients", "vanishing gradients", words, "initializer", "he_normal")


def exploding_gradients(reading: HealthReading) -> Hint | None:
    """Return a hint if the norm of the whole gradient is far above what standardized data give.

    The remedy is to clip the norm (Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML
    2013, section 3.2).
    """
    if not reading.layers or reading.config.clip_norm is not None:
        return None
    norm = math.hypot(*(layer.norm for layer in reading.layers))
    if norm <= EXPLODING_NORM:
        return None
    words = f"‖g‖ is {figure(norm)} at step {reading.step:,}"
    return Hint("exploding_gradients", "exploding gradients", words, "clip_norm", 1.0)


def dead_units(reading: HealthReading) -> Hint | None:
    """Return a hint if a large share of a hidden layer's ReLU units are 0 on every row of the sample.

    Such units never change again (Lu et al., "Dying ReLU and initialization", 2019). Stanford's CS231n notes (Neural Networks 1)
    name a share of 40 % as the sign of a learning rate that is too high; leaky_relu keeps a gradient (Maas et al. 2013).
    """
    worst = max(reading.hidden, key=_dead, default=None)
    if reading.divergence is not None or worst is None or _dead(worst) < DEAD_SHARE:
        return None
    units = reading.config.layers[worst.layer]
    words = f"{percent(_dead(worst), 0)} of layer {worst.layer}'s {units:,} units are 0 for every example"
    return Hint("dead_units", "dead units", words, "hidden_activation", "leaky_relu")


def _dead(layer: LayerGradients) -> float:
    """Return the share of dead units; 0 if the layer has no ReLU units."""
    return layer.dead_units or 0.0
