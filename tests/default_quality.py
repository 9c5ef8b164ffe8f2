"""The quality of the defaults: tuisim with no option but the data, beside scikit-learn's networks of the same sizes.

    python tests/default_quality.py [SET ...] [--seeds 10] [--fashion FOLDER] [--json FILE]

Fifteen sets. 30 % of the rows (stratified for classes) are kept from both; inputs, and targets that are numbers, are standardized
with the other rows. tuisim takes a tenth of those for early stopping, scikit-learn's MLPClassifier and MLPRegressor, with their
defaults, use all. The figure is accuracy, or R² for numbers, on the rows that were kept. A person runs this (it takes half an
hour, and scikit-learn, of the extra `peers`); FOLDER has the IDX files of Debian's package dataset-fashion-mnist.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np
from numpy.typing import NDArray

from tuisim import RunConfig, Trainer, data
from tuisim.data.files import FOLDER

Array = NDArray[Any]
Rows = tuple[Array, Array]

GENERATED_ROWS, FASHION_ROWS = 3_000, 5_000
KEPT = 0.3
TOLERANCE = {"classes": 0.03, "numbers": 0.05}


@dataclass(frozen=True)
class Result:
    """The figures of a set."""

    name: str
    kind: str
    layers: str
    rows: int
    scores: list[float]
    peers: list[float]
    steps: list[int]
    diverged: int

    @property
    def passed(self) -> bool:
        """True if no run diverged and the mean is at most the tolerance below the peer's."""
        return not self.diverged and float(np.mean(self.scores)) >= float(np.mean(self.peers)) - TOLERANCE[self.kind]

    def row(self) -> str:
        """Return a row of the manual's table."""
        found = float(np.mean(self.scores)), min(self.scores), float(np.mean(self.peers))
        figures = [f"{100 * one:.1f} %" if self.kind == "classes" else f"R² {one:.3f}" for one in found]
        return f"| {self.name} | {self.rows:,} | {self.layers} | {' | '.join(figures)} | {int(np.mean(self.steps)):,} |"


# ── sets ──


def shipped(name: str) -> Rows:
    """Return one of the tables that scikit-learn ships."""
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y


def generated(name: str, seed: int) -> Rows:
    """Return rows of one of tuisim's synthetic datasets, of a seed."""
    config = RunConfig(layers="auto", dataset=name, examples=GENERATED_ROWS, validation=0, seed=seed, dtype="float64")
    X, y = data.load(config).sample(GENERATED_ROWS)
    return X, y if y.ndim == 1 else y[:, 0]


def fashion(folder: Path) -> Rows:
    """Return the first rows of Fashion-MNIST."""
    names = "images-idx3", "labels-idx1"
    images, labels = (gzip.decompress((folder / f"train-{name}-ubyte.gz").read_bytes()) for name in names)
    X = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)[:FASHION_ROWS]
    return X / 255, np.frombuffer(labels, np.uint8, offset=8)[:FASHION_ROWS].astype(np.int64)


def one_hot(values: Array, count: int) -> list[Array]:
    """Return a column for each of `count` categories."""
    return [values == one for one in range(count)]


def drawn(rng: np.random.Generator, log_odds: Array) -> Array:
    """Return classes 0 and 1 drawn by their log odds."""
    return (rng.random(len(log_odds)) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)


def titanic() -> Rows:
    """Return 891 rows in the shape of the Titanic's passengers: class, sex, age with a fifth filled in, family, fare, port."""
    rng, n = np.random.default_rng(7), 891
    grade, female = rng.choice(3, n, p=[0.24, 0.21, 0.55]), rng.random(n) < 0.35
    age = np.clip(rng.normal(30 - 3 * grade, 14, n), 0.4, 80)
    siblings, parents = rng.poisson(0.5, n), rng.poisson(0.38, n)
    fare, port = np.exp(rng.normal(4 - 0.9 * grade, 0.6, n)), rng.choice(3, n, p=[0.72, 0.19, 0.09])
    odds = -1.2 + 2.6 * female - (grade - 1) - 0.03 * (age - 30) - 0.35 * siblings + 0.3 * (port == 1) + 0.5 * (age < 10)
    y = drawn(rng, odds)
    age = np.where(rng.random(n) < 0.2, 30, age)
    return np.column_stack([grade, female, ~female, age, siblings, parents, fare, *one_hot(port, 3)]).astype(float), y


def boston() -> Rows:
    """Return 506 rows in the shape of Boston's housing: 13 correlated inputs, one skewed, one of 0 and 1; a capped price."""
    rng, n = np.random.default_rng(8), 506
    hidden = rng.normal(size=(n, 4))
    X = hidden @ rng.normal(size=(4, 13)) + 0.5 * rng.normal(size=(n, 13))
    X[:, 0], X[:, 3] = np.exp(X[:, 0]), X[:, 3] > 1.5
    a, b, c, _ = hidden.T
    price = 22 + 4 * a - 3 * b + 2 * np.maximum(c, 0) ** 2 - 1.5 * a * b + 2.5 * rng.normal(size=n)
    return X, np.clip(price, 5, 50)


def adult() -> Rows:
    """Return 4,000 rows in the shape of the adult census: numbers, some mostly zero, and categories; a quarter are of class 1."""
    rng, n = np.random.default_rng(9), 4_000
    age, schooling = np.clip(rng.gamma(5, 8, n), 17, 90), rng.integers(1, 17, n)
    hours = np.clip(rng.normal(40, 12, n), 1, 99)
    gain = np.where(rng.random(n) < 0.08, np.exp(rng.normal(8, 1, n)), 0)
    loss = np.where(rng.random(n) < 0.05, rng.normal(1_900, 300, n), 0)
    male, marital = rng.random(n) < 0.67, rng.choice(4, n, p=[0.46, 0.33, 0.14, 0.07])
    work_class = rng.choice(7, n, p=[0.7, 0.08, 0.06, 0.06, 0.04, 0.04, 0.02])
    occupation, race = rng.choice(14, n), rng.choice(5, n, p=[0.85, 0.1, 0.03, 0.01, 0.01])
    by_occupation = 0.6 * rng.normal(size=14)
    odds = -5.2 + 0.035 * (age - 38) - 0.0012 * (age - 48) ** 2 + 0.33 * schooling + 0.03 * (hours - 40) + 1.9 * (marital == 0)
    odds = odds + 0.3 * male + by_occupation[occupation] + 0.0003 * gain + 0.0004 * loss
    categories = [*one_hot(male, 2), *one_hot(marital, 4), *one_hot(occupation, 14), *one_hot(work_class, 7), *one_hot(race, 5)]
    return np.column_stack([age, schooling, hours, gain, loss, *categories]).astype(float), drawn(rng, odds)


def sets(folder: Path) -> dict[str, Callable[[int], Rows]]:
    """Return the fifteen sets by name, each for a seed."""
    found: dict[str, Callable[[int], Rows]] = {}
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        found[name] = lambda _, name=name: shipped(name)  # type: ignore[misc]
    for name in ("moons", "spirals", "xor", "blobs", "sine", "teacher"):
        found[name] = lambda seed, name=name: generated(name, seed)  # type: ignore[misc]
    made = {"titanic-like": titanic, "boston-like": boston, "adult-like": adult, "fashion_mnist": lambda: fashion(folder)}
    return found | {name: lambda _, make=make: make() for name, make in made.items()}  # type: ignore[misc]


# ── training and scoring ──


def split(X: Array, y: Array, kind: str, seed: int, scale: bool) -> tuple[Rows, Rows]:
    """Return the rows to learn from and those that are kept, standardized with the first."""
    from sklearn.model_selection import train_test_split

    learn, kept = train_test_split(
        np.arange(len(X)), test_size=KEPT, random_state=seed, stratify=y if kind == "classes" else None
    )
    if scale:
        spread = X[learn].std(axis=0)
        X = (X - X[learn].mean(axis=0)) / np.where(spread > 0, spread, 1)
    if kind == "numbers":
        y = (y - y[learn].mean()) / y[learn].std()
    return (X[learn], y[learn]), (X[kept], y[kept])


def outputs(trainer: Trainer, X: Array) -> Array:
    """Return the outputs of the trained network, all of whose hidden layers are ReLU."""
    for layer, (weights, biases) in enumerate(parameters := trainer.parameters(), 1):
        X = X @ weights + biases
        X = np.maximum(X, 0) if layer < len(parameters) else X
    return X


def score(predicted: Array, y: Array, kind: str) -> float:
    """Return the accuracy of outputs, or R²."""
    if kind == "classes":
        return float((predicted.argmax(axis=1) == y).mean())
    return float(1 - ((predicted[:, 0] - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def measure(name: str, rows: Callable[[int], Rows], seeds: int) -> Result:
    """Train on a set with each seed."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    scores, peers, steps, diverged = [], [], [], 0
    for seed in range(seeds):
        X, y = rows(seed)
        kind = "classes" if y.dtype.kind == "i" else "numbers"
        (X, y), (kept, answers) = split(X, y, kind, seed, scale=name != "fashion_mnist")
        trainer = Trainer(RunConfig(seed=seed, threads=1), data=(X, y))
        summary = trainer.run()
        diverged += summary.ended.value != "completed"
        scores.append(score(outputs(trainer, kept), answers, kind))
        steps.append(summary.steps)
        peer = (MLPClassifier if kind == "classes" else MLPRegressor)(
            hidden_layer_sizes=trainer.config.layers[1:-1], random_state=seed
        )
        peers.append(float(peer.fit(X, y).score(kept, answers)))
        layers = "-".join(map(str, trainer.config.layers))
    return Result(name, kind, layers, len(X) + len(kept), scores, peers, steps, diverged)


def main() -> int:
    """Print the table; return 1 if a set fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--fashion", type=Path, default=FOLDER)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    warnings.filterwarnings("ignore", module="sklearn")  # that 200 epochs are not enough
    known, results = sets(given.fashion), []
    print("| set | rows | network | tuisim, mean | tuisim, worst | scikit-learn, mean | steps, mean |")
    print("|---|---|---|---|---|---|---|")
    for name in given.sets or known:
        results.append(measure(name, known[name], given.seeds))
        print(results[-1].row() + ("" if results[-1].passed else f" FAILED, {results[-1].diverged} diverged"), flush=True)
        if given.json:
            given.json.write_text(json.dumps([vars(one) for one in results]))
    return 0 if all(one.passed for one in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
