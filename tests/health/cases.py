"""For each rule ten runs or more that have its fault, and as many that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from tests.health.running import cached_reading, reading
from tuisim.config import RunConfig
from tuisim.data import files
from tuisim.engine.health import data_rules, gradient_rules, learning_rules, network_rules
from tuisim.engine.health.hint import Hint
from tuisim.engine.health.reading import HealthReading

Rule = Callable[[HealthReading], Hint | None]


@dataclass(frozen=True)
class Case:
    """A run."""

    config: RunConfig
    data: tuple[Any, Any] | None = None
    parameters: Any = None

    def reading(self, seed: int = 0) -> HealthReading:
        """Train it with another seed, that much higher, and return its last reading."""
        config = replace(self.config, seed=self.config.seed + seed)
        if self.data is None and self.parameters is None:
            return cached_reading(config)
        return reading(config, self.data, self.parameters)

    def edited(self, hint: Hint) -> Case:
        """Return the run with a hint's edit."""
        assert hint.field is not None
        return replace(self, config=replace(self.config, **{hint.field: hint.value}))


@dataclass(frozen=True)
class Trial:
    """The runs of one rule."""

    rule: Rule
    faulty: tuple[Case, ...]
    sound: tuple[Case, ...]

    @property
    def name(self) -> str:
        return self.rule.__name__


def run(layers: str, data: tuple[Any, Any] | None = None, parameters: Any = None, **fields: Any) -> Case:
    sizes = tuple(map(int, layers.split("-")))
    return Case(RunConfig(**({"layers": sizes, "epochs": 20, "threads": 1} | fields)), data, parameters)


def digits(layers: str = "64-32-10", **fields: Any) -> Case:
    return run(layers, dataset="digits", **fields)


def made(dataset: str, layers: str, **fields: Any) -> Case:
    return run(layers, dataset=dataset, **({"examples": 1_000} | fields))


@cache
def digit_rows() -> tuple[Any, Any]:
    table = files.read_digits()
    return table.X.astype(float), table.targets.astype(int)


LARGE = {"initializer": "he_normal"}
"""With the smaller weights of `auto`, networks with mse learn at some rates that are too high for these."""


def good_runs() -> Iterator[Case]:
    """Yield networks that learn their data at a good rate."""
    yield digits()
    yield digits("64-64-32-10", optimizer="adam", seed=1)
    yield digits(hidden_activation="tanh", seed=2)
    yield digits(batch_size=1, epochs=3, learning_rate=0.02, seed=3)
    yield digits("64-32-32-32-10", optimizer="momentum", learning_rate=0.01, seed=4)
    yield digits("64-10", seed=5)
    yield made("moons", "2-16-2", learning_rate=0.5, epochs=40)
    yield made("spirals", "2-32-32-2", optimizer="adam", learning_rate=0.01, epochs=60)
    yield made("xor", "2-8-2", hidden_activation="tanh", learning_rate=0.5, epochs=40)
    yield made("blobs", "8-16-4")
    yield made("sine", "1-32-1", loss="mse", hidden_activation="tanh", learning_rate=0.05, epochs=60)
    yield made("teacher", "20-32-5", loss="mse", examples=2_000)
    yield made("teacher", "20-32-5", examples=2_000)
    yield made("teacher", "20-32-5", loss="mse", optimizer="rmsprop", learning_rate=0.003, examples=2_000)


def zero_initializer() -> Trial:
    hidden = {"initializer": "zeros"}
    faulty = [digits(hidden_activation=name, **hidden) for name in ("relu", "tanh", "sigmoid", "gelu", "elu", "softplus")]
    faulty += [made("moons", "2-16-2", hidden_activation=name, **hidden) for name in ("tanh", "sigmoid")]
    faulty += [made("teacher", "20-32-5", loss="mse", **hidden), digits("64-32-32-10", optimizer="adam", **hidden)]
    # Without a hidden layer zeros are as good as any start.
    sound = [digits("64-10", initializer="zeros", seed=seed) for seed in range(3)]
    sound += [made("blobs", "8-4", initializer="zeros"), *good_runs()]
    return Trial(network_rules.zero_initializer, tuple(faulty), tuple(sound))


def mismatched_loss() -> Trial:
    faulty = [digits(output_activation=name) for name in ("relu", "sigmoid", "tanh", "gelu")]
    faulty += [digits(loss="binary_cross_entropy", output_activation="sigmoid"), digits(loss="binary_cross_entropy")]
    faulty += [digits(loss="mse"), digits(loss="mse", output_activation="sigmoid"), made("moons", "2-16-2", loss="mse")]
    faulty += [
        made("sine", "1-16-1", loss="mse", output_activation=name) for name in ("relu", "tanh", "sigmoid", "elu", "silu", "gelu")
    ]
    sound = [*good_runs(), made("moons", "2-16-1", loss="binary_cross_entropy")]
    return Trial(network_rules.mismatched_loss, tuple(faulty), tuple(sound))


def dead_outputs() -> Trial:
    relu = {"output_activation": "relu"}
    faulty = [digits(loss="mse", learning_rate=rate, seed=seed, **LARGE, **relu) for rate in (0.5, 1.0) for seed in range(3)]
    faulty += [digits(learning_rate=1.5, seed=seed, **relu) for seed in range(3)]
    faulty += [made("sine", "1-16-1", loss="mse", learning_rate=1.0, seed=seed, **relu) for seed in range(3)]
    sound = [*good_runs()]
    return Trial(network_rules.dead_outputs, tuple(faulty), tuple(sound))


def _scaled(factor: float) -> Iterator[tuple[Any, Any]]:
    X, y = digit_rows()
    yield X * factor, y
    generator = np.random.default_rng(0)
    classes = generator.integers(0, 3, 600)
    yield factor * 16 * (generator.normal(size=(600, 4)) + classes[:, None]), classes


def unscaled_inputs() -> Trial:
    faulty, sound = [], []
    for factor in (1.0, 16.0, 100.0, 1e-3, 1e-4):
        large, made_rows = _scaled(factor)
        faulty += [run("64-32-10", large, learning_rate=0.01), run("4-16-3", made_rows, learning_rate=0.01)]
    for factor in (1 / 16, 1 / 8):
        small, made_rows = _scaled(factor)
        sound += [run("64-32-10", small), run("4-16-3", made_rows)]
    return Trial(data_rules.unscaled_inputs, tuple(faulty), (*sound, *good_runs()))


def rate_too_high() -> Trial:
    faulty = [digits(learning_rate=rate, seed=seed) for seed, rate in enumerate((3.0, 10.0, 100.0, 1e9))]
    faulty += [digits(optimizer="adam", learning_rate=rate) for rate in (0.5, 3.0, 100.0)]
    faulty += [digits("64-64-32-10", optimizer="momentum", learning_rate=rate) for rate in (0.5, 3.0)]
    faulty += [digits(batch_size=1, epochs=3, learning_rate=rate) for rate in (0.5, 3.0)]
    faulty += [made("moons", "2-16-2", learning_rate=rate) for rate in (10.0, 100.0)]
    faulty += [made("sine", "1-32-1", loss="mse", hidden_activation="tanh", learning_rate=rate, **LARGE) for rate in (0.5, 5.0)]
    faulty += [made("teacher", "20-32-5", loss="mse", learning_rate=1.0, **LARGE)]
    faulty += [made("teacher", "20-32-5", loss="mse", optimizer="rmsprop", learning_rate=rate) for rate in (0.1, 1.0)]
    faulty += [made("teacher", "20-32-5", learning_rate=rate) for rate in (10.0, 30.0)]
    sound = [*good_runs(), *(case for case in _low_rates()), *(digits(learning_rate=rate) for rate in (0.05, 0.2, 0.5))]
    return Trial(learning_rules.rate_too_high, tuple(faulty), tuple(sound))


def _low_rates() -> Iterator[Case]:
    yield from (digits(learning_rate=rate) for rate in (1e-6, 1e-4, 1e-3))
    yield from (digits(optimizer="adam", learning_rate=rate) for rate in (1e-6, 1e-5, 3e-5))
    yield from (digits("64-64-32-10", optimizer="momentum", learning_rate=rate) for rate in (1e-6, 1e-4))
    yield from (digits(batch_size=1, epochs=3, learning_rate=rate) for rate in (1e-6, 1e-4))
    yield from (made("moons", "2-16-2", learning_rate=rate) for rate in (1e-5, 1e-3))
    yield from (made("teacher", "20-32-5", loss="mse", learning_rate=rate) for rate in (1e-6, 1e-4, 1e-3))
    yield from (made("teacher", "20-32-5", learning_rate=rate) for rate in (1e-6, 1e-4))


def rate_too_low() -> Trial:
    noise = np.random.default_rng(0)
    X, y = noise.normal(size=(1_000, 10)), noise.integers(0, 4, 1_000)
    # Nothing can be learned here, at no rate.
    sound = [run("10-8-4", (X, y), learning_rate=rate, epochs=10) for rate in (0.03, 0.1)]
    return Trial(learning_rules.rate_too_low, tuple(_low_rates()), (*good_runs(), *sound))


def vanishing_gradients() -> Trial:
    def deep(hidden: int, **fields: Any) -> Case:
        return digits("-".join(["64", *["32"] * hidden, "10"]), **({"epochs": 10} | fields))

    faulty = [deep(n, hidden_activation="sigmoid", seed=n) for n in (6, 8, 10, 12)]
    faulty += [deep(n, hidden_activation="sigmoid", initializer="normal", seed=n) for n in (4, 6, 8)]
    faulty += [deep(n, hidden_activation="tanh", initializer="normal", seed=n) for n in (8, 10, 12)]
    faulty += [deep(n, hidden_activation="sigmoid", optimizer="momentum", seed=n) for n in (6, 10)]
    sound = [*good_runs(), *(deep(n, hidden_activation=name) for n in (3, 6, 8) for name in ("relu", "tanh"))]
    # Converged: the gradient is small in every layer.
    sound += [digits(learning_rate=1.0, epochs=200, seed=seed) for seed in range(2)]
    sound += [made("moons", "2-16-2", learning_rate=2.0, epochs=200), digits(learning_rate=1e9)]
    return Trial(gradient_rules.vanishing_gradients, tuple(faulty), tuple(sound))


def _initial(sizes: tuple[int, ...], deviation: float, seed: int) -> list[tuple[Any, Any]]:
    generator = np.random.default_rng(seed)
    return [(generator.normal(0, deviation, (n, m)), np.zeros(m)) for n, m in pairwise(sizes)]


def exploding_gradients() -> Trial:
    faulty = []
    for seed, hidden in enumerate((3, 4, 6, 8, 10)):
        sizes = (64, *(32,) * hidden, 10)
        words = "-".join(map(str, sizes))
        faulty += [digits(words, parameters=_initial(sizes, 1.0, seed), learning_rate=rate) for rate in (1e-9, 1e-7)]
    sizes = (20, 32, 32, 32, 5)
    faulty += [
        made("teacher", "20-32-32-32-5", loss="mse", parameters=_initial(sizes, 1.0, seed), learning_rate=1e-9)
        for seed in range(3)
    ]
    sound = [*good_runs(), *_low_rates()]
    return Trial(gradient_rules.exploding_gradients, tuple(faulty), tuple(sound))


def dead_units() -> Trial:
    faulty = [digits(learning_rate=rate, seed=seed) for rate in (2.0, 4.0, 10.0) for seed in range(2)]
    faulty += [digits(optimizer="adam", learning_rate=0.3, seed=seed) for seed in range(2)]
    faulty += [made("moons", "2-16-2", learning_rate=20.0, seed=seed) for seed in range(2)]
    faulty += [digits(batch_size=1, epochs=3, learning_rate=0.5), digits("64-64-32-10", optimizer="momentum", learning_rate=0.5)]
    return Trial(gradient_rules.dead_units, tuple(faulty), tuple(good_runs()))


def overfitting() -> Trial:
    few = {"validation": 0.5, "epochs": 300}
    faulty = [digits(examples=60, optimizer="adam", learning_rate=0.01, seed=seed, **few) for seed in range(3)]
    generator = np.random.default_rng(0)
    for seed in range(4):
        X = generator.normal(size=(200, 20))
        y = (X[:, 0] + generator.normal(size=200) > 0).astype(int)
        faulty.append(run("20-64-2", (X, y), optimizer="adam", seed=seed, learning_rate=0.003, **few))
        t = X[:, :1] + generator.normal(size=(200, 1))
        faulty.append(run("20-64-1", (X, t), loss="mse", optimizer="adam", seed=seed, learning_rate=0.003, **few))
    stopped = [replace(case, config=replace(case.config, early_stopping="yes")) for case in faulty[:3]]
    return Trial(learning_rules.overfitting, tuple(faulty), (*good_runs(), *stopped))


def class_imbalance() -> Trial:
    generator = np.random.default_rng(0)

    def rows(share: float, distance: float) -> tuple[Any, Any]:
        y = (generator.random(1_000) >= share).astype(int)
        return generator.normal(size=(1_000, 5)) + distance * y[:, None] * np.eye(5)[0], y

    faulty = [run("5-16-2", rows(share, distance), epochs=10) for share in (0.85, 0.9, 0.95) for distance in (0.0, 0.3, 0.6, 1.0)]
    sound = [run("5-16-2", rows(share, distance)) for share in (0.5, 0.7) for distance in (0.0, 0.5, 2.0)]
    # Imbalanced, but both classes are learned.
    sound += [run("5-16-2", rows(share, 8.0)) for share in (0.85, 0.9, 0.95)]
    return Trial(data_rules.class_imbalance, tuple(faulty), (*sound, *good_runs()))


def plateau() -> Trial:
    noise = np.random.default_rng(0)
    faulty = []
    for seed in range(5):
        X = noise.normal(size=(2_000, 4))
        t = X @ noise.normal(size=(4, 1)) + 2 * noise.normal(size=(2_000, 1))
        faulty.append(run("4-8-1", (X, t), loss="mse", seed=seed, learning_rate=0.1))
        y = (X[:, 0] + 2 * noise.normal(size=2_000) > 0).astype(int)
        faulty.append(run("4-8-2", (X, y), seed=seed, learning_rate=0.3))
    sound = [*good_runs(), *(digits(learning_rate=rate) for rate in (0.003, 0.01, 0.03))]
    return Trial(learning_rules.plateau, tuple(faulty), tuple(sound))


TRIALS: Mapping[str, Callable[[], Trial]] = {
    one.__name__: one
    for one in (
        zero_initializer, mismatched_loss, dead_outputs, unscaled_inputs, rate_too_high, exploding_gradients, vanishing_gradients,
        dead_units, rate_too_low, overfitting, class_imbalance, plateau,
    )
}  # fmt: skip
