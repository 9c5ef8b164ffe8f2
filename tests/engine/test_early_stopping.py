"""Early stopping: the same end on every backend, with the weights of the best check."""

import numpy as np
import pytest

from tuisim import RunConfig, Trainer, data
from tuisim.backends import get_backend, probe
from tuisim.engine.early_stopping import MIN_STEPS
from tuisim.engine.events import State
from tuisim.engine.network import Network
from tuisim.errors import ConfigError

NOISY = RunConfig(
    layers=(5, 32, 2), dataset="teacher", loss="cross_entropy", examples=100, validation=0.5, batch_size=20, learning_rate=0.5,
    epochs=1_000, early_stopping="yes", patience=4,
)  # fmt: skip
"""A hundred noisy rows: the network overfits within the first thousand steps."""


def validation_loss(trainer, config):
    config = config.resolved()
    network = Network(config, get_backend(config.backend), config.batch_size)
    network.load(trainer.parameters())
    return network.evaluate(*data.load(config).validation)


def test_a_run_that_no_longer_improves_ends_with_its_best_weights():
    trainer = Trainer(NOISY)
    summary = trainer.run()
    assert summary.ended is State.COMPLETED
    assert summary.stopped_early
    assert MIN_STEPS <= summary.steps < 5_000
    assert summary.best_step is not None
    assert summary.best_step % 50 == 0
    assert summary.best_step < summary.steps
    assert f"step {summary.best_step:,} of {summary.steps:,}" in summary.message
    assert summary.validation_loss == pytest.approx(validation_loss(trainer, NOISY))

    there = Trainer(NOISY)
    for _ in range(summary.best_step):
        there.step()
    for kept, reached in zip(trainer.parameters(), there.parameters(), strict=True):
        np.testing.assert_array_equal(kept[0], reached[0])
        np.testing.assert_array_equal(kept[1], reached[1])


def test_without_early_stopping_a_run_has_its_last_weights():
    summary = Trainer(RunConfig(**NOISY.to_dict() | {"early_stopping": "no", "epochs": 300})).run()
    assert (summary.steps, summary.stopped_early, summary.best_step, summary.message) == (1_500, False, None, "")
    assert summary.validation_loss > Trainer(NOISY).run().validation_loss


@pytest.mark.parametrize("backend", ["numba", "scalar"])
def test_every_backend_stops_at_the_same_step(backend):
    if probe(backend).why_not:
        pytest.skip(probe(backend).why_not)
    config = NOISY.to_dict() | {"dtype": "float64"}
    first, second = (Trainer(RunConfig(**config | {"backend": name})).run() for name in ("numpy", backend))
    assert (first.steps, first.best_step) == (second.steps, second.best_step)
    assert first.validation_loss == pytest.approx(second.validation_loss, rel=1e-9)


def test_auto_epochs_stop_early_only_with_validation_rows():
    fitted = RunConfig(layers=(64, 8, 10)).fitted()
    assert (fitted.epochs, fitted.early_stopping) == (197, "yes")  # 1,618 rows are 51 steps of 32
    assert RunConfig(layers=(64, 8, 10), validation=0).fitted().early_stopping == "no"
    assert RunConfig(layers=(64, 8, 10), epochs=3).fitted().early_stopping == "no"
    assert RunConfig(layers=(64, 8, 10), epochs=None).fitted().epochs is None
    assert RunConfig(layers=(4, 2), examples=10**6).fitted().epochs == 10
    assert RunConfig(layers=(4, 2), early_stopping=True, epochs=3).fitted().early_stopping == "yes"
    with pytest.raises(ConfigError, match="validation rows"):
        RunConfig(layers=(4, 2), early_stopping="yes", validation=0)


def test_the_initializer_follows_the_loss_and_the_depth():
    assert RunConfig(layers=(4, 8, 2)).resolved().initializer == "he_normal"
    assert RunConfig(layers=(4, 8, 8, 2), loss="mse").resolved().initializer == "glorot_uniform"
    assert RunConfig(layers=(4, 8, 8, 8, 2), loss="mse").resolved().initializer == "he_normal"
    assert RunConfig(layers=(4, 8, 1), initializer="normal").resolved().initializer == "normal"
