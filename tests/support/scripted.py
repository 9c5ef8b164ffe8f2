"""A worker that replays prepared snapshots and records the calls of its control, in place of a thread that trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tuisim.accounting import count
from tuisim.backends.numpy.blas import Blas
from tuisim.config import RunConfig
from tuisim.engine.events import Curves, Event, Snapshot, State, Throughput
from tuisim.features.run.state import RunState
from tuisim.measure.gradients import HISTOGRAM_BINS, Health, LayerGradients
from tuisim.measure.peaks import Peaks
from tuisim.stages import Stage


class ScriptedControl:
    """A control that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def pause(self, reason: str = "") -> None:
        self.calls.append(("pause", reason))

    def resume(self) -> None:
        self.calls.append(("resume",))

    def step(self) -> None:
        self.calls.append(("step",))

    def stop(self, reason: str = "") -> None:
        self.calls.append(("stop", reason))

    def stop_looking(self, look: object) -> None:
        self.calls.append(("stop_looking",))

    def set_learning_rate(self, rate: float) -> None:
        self.calls.append(("rate", rate))

    def set_threads(self, threads: int) -> None:
        self.calls.append(("threads", threads))

    def set_speed_limit(self, speed_limit: float | None) -> None:
        self.calls.append(("speed_limit", speed_limit))


class ScriptedWorker:
    """A worker that shows the next snapshot at each `advance`; the last one stays."""

    def __init__(self, snapshots: Sequence[Snapshot | None], events: Sequence[Event] = ()) -> None:
        self.control = ScriptedControl()
        self.started = False
        self.stopped_for: str | None = None
        self.stages: tuple[Stage, ...] = ()
        self._snapshots = list(snapshots)
        self._events = list(events)
        self._at = 0

    @property
    def snapshot(self) -> Snapshot | None:
        return self._snapshots[self._at]

    @property
    def is_alive(self) -> bool:
        return self.started and self.stopped_for is None

    def start(self) -> None:
        self.started = True

    def stop(self, reason: str = "") -> None:
        self.stopped_for = reason

    def events(self) -> list[Event]:
        drained, self._events = self._events, []
        return drained

    def tell(self, event: Event) -> None:
        self._events.append(event)

    def advance(self) -> None:
        self._at = min(self._at + 1, len(self._snapshots) - 1)


def layer_gradients(layers: int, **changes: Any) -> tuple[LayerGradients, ...]:
    """Return gradients that become smaller towards the input, bell-shaped in log10|g|."""
    found = []
    for layer in range(1, layers + 1):
        centre = 22 - 10 * (layers - layer) / max(layers, 4)
        counts = tuple(int(900 * math.exp(-(((b - centre) / 3) ** 2))) for b in range(HISTOGRAM_BINS))
        values: dict[str, Any] = {
            "layer": layer,
            "norm": 10.0 ** ((centre - 24) / 2),
            "update_ratio": 10.0 ** ((centre - 28) / 2),
            "dead_units": 0.03 * layer if layer < layers else None,
            "histogram": counts,
            "sampled": 2_080,
            "total": 2_080,
            "health": Health.OK,
        }
        found.append(LayerGradients(**(values | changes)))
    return tuple(found)


def curves(points: int = 400, last_step: int = 20_000, accuracy: bool = True) -> Curves:
    """Return falling losses with noise, and rising accuracies."""
    rng = np.random.default_rng(0)
    steps = np.linspace(1, last_step, points)
    fall = 2.3 * np.exp(-steps / (last_step / 6)) + 0.02
    validation_steps = steps[:: max(1, points // 60)]
    validation = 2.3 * np.exp(-validation_steps / (last_step / 6)) + 0.09
    rise = 1 - validation / 2.6
    unknown = np.full(validation_steps.size, np.nan)
    return Curves(
        steps=steps,
        losses=fall * np.exp(rng.normal(0, 0.15, points)),
        validation_steps=validation_steps,
        validation_losses=validation,
        validation_accuracies=rise if accuracy else unknown,
        training_accuracies=np.minimum(rise + 0.02, 1) if accuracy else unknown,
        learning_rates=((0, 0.1),),
        clock_steps=np.array([0.0, last_step]),
        clock_seconds=np.array([0.0, last_step / 10_000]),
    )


def snapshot(config: RunConfig | None = None, **changes: Any) -> Snapshot:
    """Return a snapshot of a run at full speed; `changes` replace fields."""
    config = (config or RunConfig(layers=(64, 32, 10), epochs=None, learning_rate=0.1)).resolved()
    config = config if config.examples else replace(config, examples=1_618)
    regression = config.loss == "mse"
    base: dict[str, Any] = {
        "state": State.TRAINING,
        "message": "",
        "config": config,
        "device": "OpenBLAS SkylakeX ×1",
        "notes": (),
        "step": 21_573,
        "epoch": 423,
        "examples_seen": 684_414,
        "examples_this_epoch": 1_024,
        "total_steps": None,
        "speed_limit": None,
        "learning_rate": config.learning_rate,
        "current_learning_rate": config.learning_rate,
        "loss": 0.0312,
        "validation_loss": 0.0943,
        "validation_accuracy": None if regression else 0.961,
        "training_accuracy": None if regression else 0.995,
        "operations_done": 7_044_671_302,
        "seconds": 0.48,
        "wall_seconds": 12.4,
        "training_seconds": 12.1,
        "validation_seconds": 0.4,
        "instrumentation_seconds": 0.14,
        "phase_seconds": (("data", 1.1e-6), ("forward", 6.2e-6), ("loss", 4.9e-6), ("backward", 7.4e-6), ("update", 2.8e-6)),
        "phase_samples": 312,
        "throughput": Throughput(1.0, 1_428_571.0, 44_642.0, 14.6e9, 14.57e9, 0.021),
        "throughput_history": tuple(1.3e6 + 1e5 * math.sin(i / 5) for i in range(40)),
        "mean_examples_per_second": 1_400_120.0,
        "seconds_left": None,
        "gradients": layer_gradients(len(config.layers) - 1),
        "gradient_step": 21_400,
        "hints": (),
        "flushed": None,
        "subnormal": None,
        "peaks": Peaks("float32", 1, 235e9, 21e9, Blas("OpenBLAS 0.3.31", "SkylakeX", None)),
        "curves": curves(accuracy=not regression),
        "branches": (),
    }
    if "wall_seconds" in changes:  # never paused unless said
        base["training_seconds"] = changes["wall_seconds"]
    base |= changes
    return Snapshot(**({"head": base["step"], "first": 0} | base))


def run_state(shown: Snapshot | None = None, config: RunConfig | None = None, **changes: Any) -> RunState:
    """Return the run page's state at a snapshot; of a run that is starting without one."""
    config = config or (shown.config if shown else RunConfig(layers=(64, 32, 10), epochs=None, learning_rate=0.1))
    return RunState(config.resolved(), count(config), shown, **changes)
