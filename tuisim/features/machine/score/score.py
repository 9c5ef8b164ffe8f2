"""Predictions compared with runs: networks that no calibration has seen, each predicted, timed by a pilot and trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, product
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.config import RunConfig
from tuisim.engine import Control, State, Trainer
from tuisim.errors import BackendError, RunError, TuisimError
from tuisim.measure.machine_speed import SpeedMeter
from tuisim.predict.cost_model import COVERED
from tuisim.predict.prediction import Interval
from tuisim.predict.predictor import Predictor
from tuisim.provenance import Provenance
from tuisim.units import layers_text

RUN_SECONDS = 0.4
"""Predicted seconds of each run, by which its epochs are chosen."""
MIN_EPOCHS, MAX_EPOCHS = 1, 20_000
GOAL_MEDIAN, GOAL_WITHIN, NEAR = 0.10, 0.90, 0.25
"""Goals of the model: a median error of at most 10 %, and 90 % of the networks within 25 %."""
GOAL_PILOT, GOAL_PILOT_BUSY = 0.05, 0.15
"""Median error with a pilot, on a calm machine and on a busy one."""
CALM = 0.05
"""Spread of the machine's speed up to which it counts as calm."""
_LAYERS = (
    (24, 12, 6), (30, 30, 30), (64, 32, 10), (64, 96, 48, 10), (20, 40, 40, 40, 5), (784, 128, 10), (300, 600, 10),
    (50, 250, 250, 250, 3), (784, 500, 300, 10), (1000, 40, 1000), (96, 768, 768, 12),
)  # fmt: skip
_BATCHES = (1, 10, 50, 150)
_SETTINGS = (
    ("sgd", "relu", "cross_entropy"), ("adam", "tanh", "mse"), ("momentum", "gelu", "cross_entropy"),
    ("rmsprop", "sigmoid", "binary_cross_entropy"), ("nesterov", "elu", "mse"), ("adamw", "silu", "cross_entropy"),
    ("sgd", "leaky_relu", "mse"), ("adam", "softplus", "binary_cross_entropy"),
)  # fmt: skip
_SMALL = ((3, 4, 2), (6, 10, 3), (12, 8, 8, 4), (24, 12, 6), (30, 30, 30), (40, 20, 10), (16, 48, 5), (64, 32, 10))
"""The networks for plain Python, which takes seconds for a step of the others."""


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """One run and its predictions; seconds of all its steps' phases unless said otherwise."""

    config: RunConfig
    predicted: Interval
    timed: Interval
    """The prediction with a pilot."""
    seconds: float
    predicted_wall: Interval | None
    wall_seconds: float

    @property
    def ratio(self) -> float:
        """The model's prediction over the actual seconds."""
        return self.predicted.likely / self.seconds

    @property
    def timed_ratio(self) -> float:
        """The pilot's prediction over the actual seconds."""
        return self.timed.likely / self.seconds

    @property
    def wall_ratio(self) -> float | None:
        """The predicted over the actual time of the whole run."""
        return None if self.predicted_wall is None else self.predicted_wall.likely / self.wall_seconds


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The errors of the predictions of several runs."""

    median: float
    """The median of |predicted / actual − 1|."""
    within: float
    """The share of the runs that are predicted within a quarter."""
    covered: float
    """The share of the runs within their prediction interval."""

    @classmethod
    def of(cls, runs: Sequence[tuple[Interval, float]]) -> Accuracy:
        """Return the accuracy of pairs of prediction and actual seconds."""
        errors = [abs(predicted.likely / seconds - 1) for predicted, seconds in runs]
        within, covered = sum(error <= NEAR for error in errors), sum(one.low <= seconds <= one.high for one, seconds in runs)
        return cls(median(errors), within / len(runs), covered / len(runs))


@dataclass(frozen=True)
class BackendScore:
    """The runs of one backend."""

    label: str
    runs: tuple[ScoredRun, ...]
    speed_spread: float
    """Spread of the machine's speed meanwhile."""

    @cached_property
    def model(self) -> Accuracy:
        """The accuracy without a pilot."""
        return Accuracy.of([(run.predicted, run.seconds) for run in self.runs])

    @cached_property
    def pilot(self) -> Accuracy:
        """The accuracy with a pilot."""
        return Accuracy.of([(run.timed, run.seconds) for run in self.runs])

    @property
    def is_calm(self) -> bool:
        """True if the machine's speed hardly changed."""
        return self.speed_spread <= CALM

    @property
    def passed(self) -> bool:
        """True if the goals are met."""
        model = self.model.median <= GOAL_MEDIAN and self.model.within >= GOAL_WITHIN and self.model.covered >= COVERED
        return model and self.pilot.median <= (GOAL_PILOT if self.is_calm else GOAL_PILOT_BUSY)

    def ratios(self, *shares: float) -> tuple[float, ...]:
        """Return predicted over actual at these quantiles of the runs."""
        return tuple(np.quantile([run.ratio for run in self.runs], shares).tolist())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document."""
        walls = [abs(run.wall_ratio - 1) for run in self.runs if run.wall_ratio is not None]
        return {
            "label": self.label, "networks": len(self.runs),
            "median_error": self.model.median, "within_a_quarter": self.model.within, "covered": self.model.covered,
            "pilot_median_error": self.pilot.median, "pilot_within_a_quarter": self.pilot.within,
            "pilot_covered": self.pilot.covered,
            "median_wall_error": median(walls) if walls else None,
            "ratio": dict(zip(("p5", "p25", "p50", "p75", "p95"), self.ratios(0.05, 0.25, 0.5, 0.75, 0.95), strict=True)),
            "speed_spread": self.speed_spread, "passed": self.passed,
        }  # fmt: skip


@dataclass(frozen=True)
class ScoreReport:
    """The scores of all backends."""

    machine: str
    scores: tuple[BackendScore, ...]
    skipped: tuple[tuple[str, str], ...]
    """(network, reason) of networks without a score."""

    @property
    def passed(self) -> bool:
        """True if every backend meets the goals."""
        return bool(self.scores) and all(score.passed for score in self.scores)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that `tuisim score --json` prints."""
        return {
            "machine": self.machine,
            "goals": {
                "median_error": GOAL_MEDIAN, "within_a_quarter": GOAL_WITHIN, "covered": COVERED,
                "pilot_median_error": GOAL_PILOT, "pilot_median_error_if_busy": GOAL_PILOT_BUSY,
            },
            "scores": [score.to_dict() for score in self.scores],
            "rows": [_row(run) for score in self.scores for run in score.runs],
            "skipped": [{"what": what, "why": why} for what, why in self.skipped],
            "passed": self.passed,
            "marks": _MARKS,
        }  # fmt: skip


_MARKS: dict[str, Provenance] = (
    dict.fromkeys(("goals", "rows[].layers", "rows[].batch", "rows[].epochs", "rows[].threads"), Provenance.GIVEN)
    | {"scores[]": Provenance.PROJECTED, "scores[].networks": Provenance.COUNTED, "scores[].speed_spread": Provenance.MEASURED}
    | dict.fromkeys(("rows[].seconds", "rows[].wall_seconds"), Provenance.MEASURED)
    | dict.fromkeys(
        ("rows[].predicted", "rows[].predicted_by_pilot", "rows[].predicted_wall", "rows[].ratio", "rows[].pilot_ratio",
         "rows[].wall_ratio"), Provenance.PROJECTED,
    )
)  # fmt: skip


def _row(run: ScoredRun) -> dict[str, Any]:
    config = run.config
    return {
        "backend": config.backend, "threads": config.threads, "dtype": config.dtype, "layers": list(config.layers),
        "batch": config.batch_size, "optimizer": config.optimizer, "activation": config.hidden_activation[0],
        "loss": config.loss, "epochs": config.epochs, "predicted": run.predicted.to_dict(),
        "predicted_by_pilot": run.timed.to_dict(), "seconds": run.seconds,
        "predicted_wall": run.predicted_wall and run.predicted_wall.to_dict(), "wall_seconds": run.wall_seconds,
        "ratio": run.ratio, "pilot_ratio": run.timed_ratio, "wall_ratio": run.wall_ratio,
    }  # fmt: skip


def grid(backend: str, threads: int, dtype: str) -> Iterator[RunConfig]:
    """Yield at least forty networks; their sizes, batches and settings vary together."""
    shapes, batches = (_SMALL, (*_BATCHES, 3, 24)) if backend == "scalar" else (_LAYERS, _BATCHES)
    for (layers, batch), (optimizer, activation, loss) in zip(product(shapes, batches), cycle(_SETTINGS), strict=False):
        yield RunConfig(
            layers=layers, batch_size=batch, optimizer=optimizer, hidden_activation=activation, loss=loss,
            dataset="teacher", examples=8 * batch if batch > 1 else 64, validation=0.0, learning_rate=1e-6,
            backend=backend, threads=threads, dtype=dtype,
        ).resolved()  # fmt: skip


Tell = Callable[[str], None]


def score(predictor: Predictor, backends: Sequence[str] | None = None, tell: Tell = lambda words: None) -> ScoreReport:
    """Run the grid on each entry of the profile, or those of `backends`. Raises BackendError if the profile lacks one."""
    have = [entry.backend for entry in predictor.profile.entries]
    if missing := [name for name in backends or () if name not in have]:
        raise BackendError(
            f"backend {missing[0]}: not in the machine profile (it has {', '.join(dict.fromkeys(have)) or 'nothing'}); "
            f"tuisim calibrate --backends {missing[0]}"
        )
    scores: list[BackendScore] = []
    skipped: list[tuple[str, str]] = []
    for entry in predictor.profile.entries:
        if backends is not None and entry.backend not in backends:
            continue
        runs: list[ScoredRun] = []
        meter = SpeedMeter()
        configs = list(grid(entry.backend, entry.threads, entry.dtype))
        for number, config in enumerate(configs):
            tell(f"{entry.key}: {number} of {len(configs)}")
            try:
                runs.append(scored_run(predictor, config, meter))
            except TuisimError as error:
                skipped.append((f"{entry.key} {layers_text(config.layers)} batch {config.batch_size}", str(error)))
        if runs:
            scores.append(BackendScore(entry.key, tuple(runs), meter.spread))
    return ScoreReport(str(predictor.profile.machine), tuple(scores), tuple(skipped))


def scored_run(predictor: Predictor, config: RunConfig, meter: SpeedMeter) -> ScoredRun:
    """Predict a run of about RUN_SECONDS with and without a pilot, and train it. Raises what either raises."""
    each = predictor.predict(replace(config, epochs=1))
    assert each.seconds is not None
    epochs = round(RUN_SECONDS / each.seconds.likely)
    config = replace(config, epochs=min(MAX_EPOCHS, max(MIN_EPOCHS, epochs)))
    Trainer(config).step()  # compiling and other first calls are no part of a run's steps
    trainer = Trainer(config)
    found, timed = predictor.predict(config), predictor.predict_timed(config)
    meter.read()
    reading = 0.0

    def read_speed(_: object) -> None:
        nonlocal reading
        start = perf_counter()
        meter.read()
        reading += perf_counter() - start

    summary = trainer.run(read_speed, Control(), instrumented=False)
    if summary.ended is not State.COMPLETED or not summary.seconds > 0:
        raise RunError(f"ended as {summary.ended.value}: no whole run to score")
    assert found.seconds is not None
    assert timed.seconds is not None
    wall_seconds = max(summary.seconds, summary.wall_seconds - reading)
    return ScoredRun(config, found.seconds, timed.seconds, summary.seconds, found.wall_seconds, wall_seconds)
