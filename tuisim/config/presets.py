"""Runs worth starting from, the question's own network first."""

from __future__ import annotations

from dataclasses import dataclass

from tuisim.config import RunConfig


@dataclass(frozen=True, slots=True)
class Preset:
    """A named configuration."""

    name: str
    what: str
    """One line saying why a person would pick it."""
    config: RunConfig


PRESETS = (
    Preset(
        "question",
        "the network the question was about: 11,070 operations an example, not 3,600",
        RunConfig(
            layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1, epochs=None, learning_rate=0.02
        ),
    ),
    Preset(
        "digits",
        "1,797 handwritten digits, real data that ships with tuisim",
        RunConfig(layers=(64, 32, 10), dataset="digits", validation=0.2, epochs=None),
    ),
    Preset(
        "spirals",
        "three arms wound round each other: a small network that must bend",
        RunConfig(
            layers=(2, 32, 32, 3), hidden_activation="tanh", initializer="glorot_normal", dataset="spirals",
            optimizer="adam", learning_rate=0.005, epochs=None,
        ),
    ),
    Preset(
        "fashion",
        "60,000 pictures of clothes, the classic 784 inputs",
        RunConfig(
            layers=(784, 128, 10), dataset="fashion_mnist", optimizer="momentum", learning_rate=0.02, batch_size=64,
            epochs=None,
        ),
    ),
    Preset(
        "subnormals",
        "velocities of dead units decay below 1.2e-38: what it costs to keep them",
        RunConfig(
            layers=(64, 32, 10), dataset="digits", optimizer="momentum", subnormals="keep", validation=0.2, epochs=None,
        ),
    ),
    Preset(
        "large",
        "1.86 million parameters, where matrix products are everything",
        RunConfig(layers=(784, 1024, 1024, 10), dataset="teacher", batch_size=256, learning_rate=0.05, epochs=None),
    ),
)  # fmt: skip
