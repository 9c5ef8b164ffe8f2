"""Predictions held against runs: a grid of networks that no calibration has seen, each predicted and then really trained.

It reports what it finds and improves nothing; the calibration's networks are `predict.design`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from time import perf_counter
from typing import Any

import numpy as np

from tuisim.config import RunConfig
from tuisim.engine import Control, State, Trainer
from tuisim.errors import BackendError, RunError, TuisimError
from tuisim.measure.machine_speed import SpeedMeter, SpeedSample
from tuisim.predict.cost_model import COVERED, known
from tuisim.predict.interval import Interval
from tuisim.predict.predictor import Predictor
from tuisim.provenance import Provenance
from tuisim.units import layers_text

RUN_SECONDS = 0.4
"""Each run is given so many epochs that it is predicted to take about so long."""
LEAST_EPOCHS, MOST_EPOCHS = 1, 20_000
GOAL_MEDIAN, GOAL_WITHIN, NEAR = 0.10, 0.90, 0.25
"""A median error of at most a tenth, and nine of ten networks within a quarter."""
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
"""For plain Python, which takes seconds for a step of the others."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One run and what was predicted of it; seconds."""

    config: RunConfig
    predicted: Interval
    seconds: float
    """Of the step's phases."""
    predicted_wall: Interval | None
    wall_seconds: float
    slowdown: float
    """How many times as long as at its best the machine took for such steps just before."""
    known: float
    """What would have been predicted by the machine's speed during the run, which nobody knew before: seconds."""
    slowed_then: float
    """How many times as long calls took during the run."""

    @property
    def ratio(self) -> float:
        """Predicted over actual."""
        return self.predicted.likely / self.seconds

    @property
    def known_ratio(self) -> float:
        """The same, had the machine's speed been known: what is left is the prices' own."""
        return self.known / self.seconds

    @property
    def wall_ratio(self) -> float | None:
        return None if self.predicted_wall is None else self.predicted_wall.likely / self.wall_seconds

    @property
    def within_band(self) -> bool:
        return self.predicted.low <= self.seconds <= self.predicted.high


@dataclass(frozen=True)
class Score:
    """The runs of one backend, or of all."""

    label: str
    runs: tuple[Scored, ...]

    @property
    def errors(self) -> list[float]:
        """|predicted / actual − 1|, sorted."""
        return sorted(abs(run.ratio - 1) for run in self.runs)

    @property
    def known_errors(self) -> list[float]:
        """|known / actual − 1|, sorted."""
        return sorted(abs(run.known_ratio - 1) for run in self.runs)

    @property
    def known_within(self) -> float:
        return sum(error <= NEAR for error in self.known_errors) / len(self.runs)

    @property
    def wall_errors(self) -> list[float]:
        return sorted(abs(run.wall_ratio - 1) for run in self.runs if run.wall_ratio is not None)

    @property
    def median(self) -> float:
        return median(self.errors)

    @property
    def within(self) -> float:
        """Share of the runs that are within a quarter."""
        return sum(error <= NEAR for error in self.errors) / len(self.runs)

    @property
    def covered(self) -> float:
        """Share of the runs that their band holds."""
        return sum(run.within_band for run in self.runs) / len(self.runs)

    @property
    def passed(self) -> bool:
        return self.median <= GOAL_MEDIAN and self.within >= GOAL_WITHIN and self.covered >= COVERED

    def ratios(self, *shares: float) -> tuple[float, ...]:
        """Predicted over actual, at these shares of the runs."""
        return tuple(np.quantile([run.ratio for run in self.runs], shares).tolist())

    def to_dict(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "networks": len(self.runs),
            "median_error": self.median,
            "within_a_quarter": self.within,
            "covered": self.covered,
            "known_median_error": median(self.known_errors),
            "known_within_a_quarter": self.known_within,
            "median_wall_error": median(self.wall_errors) if self.wall_errors else None,
            "ratio": dict(zip(("p5", "p25", "p50", "p75", "p95"), self.ratios(0.05, 0.25, 0.5, 0.75, 0.95), strict=True)),
            "passed": self.passed,
        }


@dataclass(frozen=True)
class Report:
    """All of it."""

    machine: str
    scores: tuple[Score, ...]
    """By backend."""
    skipped: tuple[tuple[str, str], ...]
    """(what, why) of networks without a score."""

    @property
    def passed(self) -> bool:
        return bool(self.scores) and all(score.passed for score in self.scores)

    def to_dict(self) -> dict[str, Any]:
        """The document `tuisim score --json` prints."""
        return {
            "machine": self.machine,
            "goals": {"median_error": GOAL_MEDIAN, "within_a_quarter": GOAL_WITHIN, "covered": COVERED},
            "scores": [score.to_dict() for score in self.scores],
            "rows": [_row(run) for score in self.scores for run in score.runs],
            "skipped": [{"what": what, "why": why} for what, why in self.skipped],
            "passed": self.passed,
            "marks": _MARKS,
        }


_MARKS: dict[str, Provenance] = {
    "goals": Provenance.GIVEN,
    "scores[]": Provenance.PROJECTED,
    "scores[].networks": Provenance.COUNTED,
    "rows[].layers": Provenance.GIVEN,
    "rows[].batch": Provenance.GIVEN,
    "rows[].epochs": Provenance.GIVEN,
    "rows[].threads": Provenance.GIVEN,
    "rows[].slowdown": Provenance.MEASURED,
    "rows[].slowed_then": Provenance.MEASURED,
    "rows[].known_seconds": Provenance.PROJECTED,
    "rows[].known_ratio": Provenance.PROJECTED,
    "rows[].seconds": Provenance.MEASURED,
    "rows[].wall_seconds": Provenance.MEASURED,
    "rows[].predicted_seconds": Provenance.PROJECTED,
    "rows[].predicted_wall_seconds": Provenance.PROJECTED,
    "rows[].ratio": Provenance.PROJECTED,
    "rows[].wall_ratio": Provenance.PROJECTED,
}


def _row(run: Scored) -> dict[str, Any]:
    config = run.config
    return {
        "backend": config.backend, "threads": config.threads, "layers": list(config.layers), "batch": config.batch_size,
        "epochs": config.epochs, "dtype": config.dtype, "optimizer": config.optimizer, "loss": config.loss,
        "predicted_seconds": run.predicted.to_dict(), "seconds": run.seconds, "ratio": run.ratio,
        "predicted_wall_seconds": run.predicted_wall and run.predicted_wall.to_dict(), "wall_seconds": run.wall_seconds,
        "wall_ratio": run.wall_ratio, "within_band": run.within_band, "slowdown": run.slowdown,
        "known_seconds": run.known, "known_ratio": run.known_ratio, "slowed_then": run.slowed_then,
    }  # fmt: skip


def grid(backend: str, threads: int, dtype: str) -> Iterator[RunConfig]:
    """At least forty networks; their sizes, batches and settings vary together."""
    shapes = _SMALL if backend == "scalar" else _LAYERS
    number = 0
    for layers in shapes:
        for batch in _BATCHES + ((3, 24) if backend == "scalar" else ()):
            optimizer, activation, loss = _SETTINGS[number % len(_SETTINGS)]
            yield RunConfig(
                layers=layers, batch_size=batch, optimizer=optimizer, hidden_activation=activation, loss=loss,
                dataset="teacher", examples=8 * batch if batch > 1 else 64, validation=0.0, learning_rate=1e-6,
                backend=backend, threads=threads, dtype=dtype,
            ).resolved()  # fmt: skip
            number += 1


Tell = Callable[[str], None]


def score(outlook: Predictor, backends: Sequence[str] | None = None, tell: Tell = lambda words: None) -> Report:
    """Run the grid on each entry of the card, or those of `backends`. Raises BackendError for one that the card lacks."""
    have = [entry.backend for entry in outlook.card.entries]
    if missing := [name for name in backends or () if name not in have]:
        raise BackendError(
            f"backend {missing[0]}: not on the machine card (it has {', '.join(dict.fromkeys(have)) or 'nothing'}); "
            f"tuisim calibrate --backends {missing[0]}"
        )
    scores: list[Score] = []
    skipped: list[tuple[str, str]] = []
    for entry in outlook.card.entries:
        if backends is not None and entry.backend not in backends:
            continue
        runs: list[Scored] = []
        configs = list(grid(entry.backend, entry.threads, entry.dtype))
        for number, config in enumerate(configs):
            tell(f"{entry.key}: {number} of {len(configs)}")
            what = f"{entry.key} {layers_text(config.layers)} batch {config.batch_size}"
            try:
                runs.append(one(outlook, config))
            except TuisimError as error:
                skipped.append((what, str(error)))
        if runs:
            scores.append(Score(entry.key, tuple(runs)))
    return Report(str(outlook.card.machine), tuple(scores), tuple(skipped))


def one(outlook: Predictor, config: RunConfig) -> Scored:
    """Predict a run of about the usual length, and make it. Raises what either raises."""
    each = outlook.predict(replace(config, epochs=1))
    assert each.seconds is not None
    epochs = round(RUN_SECONDS / each.seconds.likely)
    config = replace(config, epochs=min(MOST_EPOCHS, max(LEAST_EPOCHS, epochs)))
    trainer = Trainer(config)
    trainer.step()  # what happens once, such as compiling, is no part of a run's steps
    trainer = Trainer(config)
    meter = SpeedMeter()
    found = outlook.refreshed().predict(config)
    # Between the chunks of steps, a dozen times a second; its time is none of the steps'.
    during, looking = [meter.read()], [0.0]

    def look(_: object) -> None:
        start = perf_counter()
        during.append(meter.read())
        looking[0] += perf_counter() - start

    summary = trainer.run(look, Control(), instrumented=False)
    if summary.ended is not State.COMPLETED or not summary.seconds > 0:
        raise RunError(f"ended as {summary.ended.value}: no whole run to score")
    during.append(meter.read())
    wall_seconds = max(summary.seconds, summary.wall_seconds - looking[0])
    mean = SpeedSample(fmean(beat.calls for beat in during), fmean(beat.work for beat in during))
    then = mean.over(outlook.card.speed)
    with_hindsight = known(config, outlook.card, then)
    assert found.seconds is not None
    assert with_hindsight is not None
    return Scored(
        config, found.seconds, summary.seconds, found.wall_seconds, wall_seconds, found.slowdown, with_hindsight,
        then.calls,
    )  # fmt: skip
