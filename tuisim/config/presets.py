"""Runs to start from, the network of the question first."""

from __future__ import annotations

from dataclasses import dataclass

from tuisim.config import RunConfig


@dataclass(frozen=True, slots=True)
class Preset:
    """A named configuration."""

    name: str
    description: str
    config: RunConfig


PRESETS = (
    Preset(
        "question",
        "30-30-30 with ReLU and MSE: 11,070 operations per example, not the naive 3,600",
        RunConfig(
            layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1, epochs=None, learning_rate=0.02
        ),
    ),
    Preset(
        "digits",
        "1,797 handwritten digits, included with tuisim",
        RunConfig(layers=(64, 32, 10), dataset="digits", validation=0.2, epochs=None),
    ),
    Preset(
        "spirals",
        "three interleaved spiral arms: a small network with a curved decision boundary",
        RunConfig(
            layers=(2, 32, 32, 3), hidden_activation="tanh", initializer="glorot_normal", dataset="spirals",
            optimizer="adam", learning_rate=0.005, epochs=None,
        ),
    ),
    Preset(
        "fashion",
        "60,000 images of clothing with 784 pixels each",
        RunConfig(
            layers=(784, 128, 10), dataset="fashion_mnist", optimizer="momentum", learning_rate=0.02, batch_size=64,
            epochs=None,
        ),
    ),
    Preset(
        "subnormals",
        "the cost of subnormal numbers: momentum of dead units decays below 1.2e-38",
        RunConfig(
            layers=(64, 32, 10), dataset="digits", optimizer="momentum", subnormals="keep", validation=0.2, epochs=None,
        ),
    ),
    Preset(
        "large",
        "1.86 million parameters: matrix products take nearly all of the time",
        RunConfig(layers=(784, 1024, 1024, 10), dataset="teacher", batch_size=256, learning_rate=0.05, epochs=None),
    ),
)  # fmt: skip
