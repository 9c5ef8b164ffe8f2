"""The trainer and its loop: the contract with scripts, control, and how a run ends."""

import json
from itertools import pairwise

import numpy as np
import pytest

from tuisim import RunConfig, Trainer, count
from tuisim.accounting import Operations
from tuisim.config.choices import OPTIMIZERS
from tuisim.engine import Control, Ended, RunFailed, Snapshot, State, memory_check
from tuisim.engine.events import LearningRateChanged, Paused, Resumed, SpeedLimitChanged, Started
from tuisim.errors import BackendError, ConfigError, DataError, ExitCode, MemoryNeeded, RunError

SMALL = RunConfig(layers=(5, 4, 3), dataset="teacher", examples=50, batch_size=8, epochs=3, learning_rate=0.1)


def end_bytes(trainer):
    return [array.tobytes() for pair in trainer.parameters() for array in pair]


def test_a_run_to_the_end():
    summary = Trainer(SMALL).run()
    assert summary.ended is State.COMPLETED
    assert (summary.epochs, summary.steps, summary.examples_seen) == (3, 21, 150)
    assert summary.exit_code is ExitCode.DONE
    assert sum(count(SMALL).run.values(), Operations()) == summary.operations
    assert 0 < summary.seconds <= summary.wall_seconds
    document = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert document["config"]["threads"] >= 1
    assert document["config"]["learning_rate"] == 0.1
    assert document["config"]["examples"] == 50
    assert {"parameters", "steps", "examples_per_second", "flops_per_second", "loss", "validation_loss", "backend"} <= set(
        document
    )
    assert set(document["marks"]) < set(document)


def test_loss_is_the_last_epochs_mean_weighted_by_examples():
    trainer = Trainer(SMALL)
    losses = [trainer.step() for _ in range(21)][14:]
    expected = (sum(losses[:6]) * 8 + losses[6] * 2) / 50
    assert Trainer(SMALL).run().loss == pytest.approx(expected, rel=1e-12)


def test_stepping_and_running_make_the_same_network():
    stepped, run = Trainer(SMALL), Trainer(SMALL)
    for _ in range(21):
        stepped.step()
    run.run()
    assert end_bytes(stepped) == end_bytes(run)
    stepped.step()  # goes on past the last epoch
    assert end_bytes(stepped) != end_bytes(run)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_same_seed_same_bytes_watched_or_not(optimizer):
    config = RunConfig(
        layers=(64, 16, 10),
        dataset="digits",
        optimizer=optimizer,
        epochs=4,
        weight_decay=1e-3,
        clip_norm=1.0,
        schedule="cosine",
        warmup_steps=5,
    )
    alone, watched = Trainer(config), Trainer(config)
    alone.run()
    seen = []
    watched.run(seen.append)
    assert any(isinstance(item, Snapshot) and item.gradients for item in seen)
    assert end_bytes(alone) == end_bytes(watched)


def test_seed_changes_everything_and_initializer_only_the_weights():
    base = RunConfig(layers=(5, 4, 3), dataset="teacher", examples=50, validation=0)
    first = Trainer(base)
    other = Trainer(RunConfig(**(base.to_dict() | {"seed": 1})))
    assert end_bytes(first) != end_bytes(other)
    uniform = Trainer(RunConfig(**(base.to_dict() | {"initializer": "glorot_uniform"})))
    same = first.parameters()
    for trainer in (first, uniform):
        trainer._session.network.load(same)
    assert first.step() == uniform.step()  # same batch


def test_gradients_are_kept_by_step_alone():
    trainer = Trainer(SMALL)
    with pytest.raises(RunError, match=r"step\(\)"):
        trainer.gradients()
    before = trainer.parameters()
    trainer.step()
    rate = np.float32(0.1)
    for (W0, b0), (gW, gb), (W1, b1) in zip(before, trainer.gradients(), trainer.parameters(), strict=True):
        np.testing.assert_array_equal(W0 - rate * gW, W1)
        np.testing.assert_array_equal(b0 - rate * gb, b1)
    trainer.run()
    with pytest.raises(RunError):
        trainer.gradients()


def test_gradients_leave_the_decay_out():
    X, y = np.ones((4, 3)), np.array([0, 1, 0, 1])
    config = RunConfig(layers=(3, 2), batch_size=4, validation=0, shuffle=False, epochs=1)
    plain = Trainer(config, data=(X, y))
    decayed = Trainer(RunConfig(**(config.to_dict() | {"weight_decay": 0.5})), data=(X, y))
    plain.step()
    decayed.step()
    assert plain.gradients()[0][0].tobytes() == decayed.gradients()[0][0].tobytes()
    assert end_bytes(plain) != end_bytes(decayed)


def test_parameters_of_the_wrong_shape_are_refused():
    with pytest.raises(ConfigError, match="layer 2 needs"):
        Trainer(SMALL, parameters=[(np.zeros((5, 4)), np.zeros(4))])


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([(np.full((5, 4), np.nan), np.zeros(4)), (np.zeros((4, 3)), np.zeros(3))], "layer 1"),
        ([(np.zeros((5, 4)), np.zeros(4)), (np.full((4, 3), 1e300), np.zeros(3))], "layer 2"),
        ([(np.zeros((5, 4)), np.zeros(4))], "layer 2 needs"),
        ([np.zeros(3)], "list of pairs"),
        ("words", "list of pairs"),
    ],
)
def test_invalid_parameters_are_refused(given, reason):
    with pytest.raises(ConfigError, match=reason):
        Trainer(SMALL, parameters=given)


def test_data_that_is_no_pair_is_refused():
    with pytest.raises(DataError, match="pair"):
        Trainer(SMALL, data=np.zeros((3, 5)))


def test_a_batch_larger_than_the_volume_is_one_short_batch():
    trainer = Trainer(RunConfig(layers=(5, 4, 3), dataset="teacher", examples=10, batch_size=1000, epochs=4))
    assert trainer.run().steps == 4
    assert trainer.config.full_batch == 10
    assert "a batch of 10: all training examples, fewer than 1,000" in trainer.notes


def test_no_validation_no_figures():
    summary = Trainer(RunConfig(layers=(5, 4, 3), examples=20, validation=0, epochs=1)).run()
    assert summary.validation_loss is None
    assert summary.validation_accuracy is None
    regression = Trainer(RunConfig(layers=(5, 3), loss="mse", examples=20, epochs=1)).run()
    assert regression.validation_loss is not None
    assert regression.validation_accuracy is None


def test_divergence_names_the_layer_and_the_step():
    summary = Trainer(
        RunConfig(layers=(64, 32, 10), dataset="digits", learning_rate=1e9, epochs=10, initializer="he_normal")
    ).run()
    assert summary.ended is State.DIVERGED
    assert summary.exit_code is ExitCode.RUN_FAILED
    assert "layer" in summary.message
    assert f"step {summary.steps + 1:,}" in summary.message or f"step {summary.steps:,}" in summary.message
    assert summary.loss is None or np.isfinite(summary.loss)
    json.dumps(summary.to_dict(), allow_nan=False)
    trainer = Trainer(RunConfig(layers=(64, 32, 10), dataset="digits", learning_rate=1e30))
    trainer.step()
    with pytest.raises(RunError, match="learning rate"):
        trainer.step()


def test_a_gradient_that_overflows_is_found_where_it_began():
    X, y = np.full((2, 2), 1e30, np.float32), np.zeros((2, 1), np.float32)
    config = RunConfig(layers=(2, 2, 1), loss="mse", hidden_activation="identity", batch_size=1, validation=0, shuffle=False)
    weights = [(np.full((2, 2), 0.5), np.zeros(2)), (np.full((2, 1), 1e-12), np.zeros(1))]
    summary = Trainer(config, data=(X, y), parameters=weights).run()
    assert summary.message.startswith("the gradient of layer 2 became non-finite at step 1")


def test_memory_is_checked_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(memory_check, "available", lambda: 10**9)
    with pytest.raises(MemoryNeeded, match=r"would fit.*can still be counted"):
        Trainer(RunConfig(layers=(1000, 10**6, 1000), dataset="teacher"))
    with pytest.raises(MemoryNeeded, match=r"batch [\d,]+ would fit"):
        Trainer(RunConfig(layers=(100, 1000, 10), dataset="teacher", batch_size=10**7, examples=10**8))


def test_a_run_that_cannot_start_says_why():
    with pytest.raises(BackendError, match="did you mean numpy"):
        Trainer(RunConfig(layers=(4, 2), backend="numpi"))
    with pytest.raises(DataError, match="64"):
        Trainer(RunConfig(layers=(30, 10), dataset="digits"))


# ── control ──


class Script:
    """Plays a person: at each snapshot or event, the next wish whose time has come."""

    def __init__(self, control, *wishes):
        self.control, self.wishes, self.items = control, list(wishes), []

    def __call__(self, item):
        self.items.append(item)
        if self.wishes and self.wishes[0][0](item):
            self.wishes.pop(0)[1](self.control)

    def events(self, kind):
        return [item for item in self.items if isinstance(item, kind)]


def at_step(step):
    return lambda item: isinstance(item, Snapshot) and item.step >= step


def resumed(item):
    return isinstance(item, Resumed)


def paused(item):
    return isinstance(item, Paused)


ENDLESS = RunConfig(layers=(64, 16, 10), dataset="digits", epochs=None, learning_rate=0.1)


def test_pause_step_and_stop():
    control = Control()
    script = Script(
        control,
        (at_step(10), lambda c: c.pause("to look")),
        (paused, lambda c: c.step()),
        (lambda item: isinstance(item, Snapshot) and item.state is State.PAUSED, lambda c: c.step()),
        (lambda item: isinstance(item, Snapshot), lambda c: c.stop("seen enough")),
    )
    summary = Trainer(ENDLESS).run(script, control)
    assert summary.ended is State.STOPPED
    assert summary.message == "seen enough"
    held = script.events(Paused)[0].step
    assert script.events(Paused)[0].reason == "to look"
    assert held < summary.steps <= held + 2
    assert script.events(Ended)[0].state is State.STOPPED
    assert script.events(Started)[0].config.examples == 1_618


def test_resume_goes_on():
    control = Control()
    script = Script(control, (at_step(1), lambda c: c.pause()), (paused, lambda c: c.resume()), (resumed, lambda c: c.stop()))
    summary = Trainer(ENDLESS).run(script, control)
    assert len(script.events(Resumed)) == 1
    assert summary.ended is State.STOPPED


def test_time_is_counted_from_the_first_batch():
    trainer = Trainer(SMALL)
    for _ in range(10):
        trainer.step()
    summary = trainer.run()
    assert 0 < summary.seconds <= summary.wall_seconds
    again = trainer.run()
    assert again.steps == summary.steps
    assert summary.wall_seconds < again.wall_seconds


def test_time_left_is_projected_from_full_speed_alone():
    control = Control()
    control.set_speed_limit(10)
    seen = []
    long = RunConfig(**(ENDLESS.to_dict() | {"epochs": 10_000}))

    def watch(item):
        if isinstance(item, Snapshot):
            seen.append(item)
            if item.step == 3 and item.speed_limit:
                control.set_speed_limit(None)
            elif item.step > 2_000:
                control.stop()

    Trainer(long).run(watch, control)
    assert all(item.seconds_left is None for item in seen if item.speed_limit)
    fast = [item.seconds_left for item in seen if item.seconds_left is not None]
    total = 10_000 * 51
    # Three steps at ten a second are a tenth of a second each; carried on, they would be hours.
    assert fast
    assert max(fast) < total * 0.1 / 10


def test_a_run_that_fails_keeps_its_summary(monkeypatch):
    def broken(*_, **__):
        raise MemoryError

    monkeypatch.setattr("tuisim.engine.session.Session.advance", broken)
    seen = []
    summary = Trainer(SMALL).run(seen.append)
    assert summary.ended is State.FAILED
    assert summary.exit_code is ExitCode.RUN_FAILED
    assert "memory" in summary.message
    assert any(isinstance(item, RunFailed) for item in seen)


@pytest.mark.parametrize("validation", [0.1, 0.0])
def test_a_last_update_that_diverges_is_noticed(validation):
    config = RunConfig(
        layers=(64, 10), dataset="digits", examples=32, epochs=1, learning_rate=3e38, loss="mse", validation=validation
    )
    trainer = Trainer(config)
    summary = trainer.run()
    assert summary.ended is State.DIVERGED
    assert "step 2" in summary.message
    assert summary.validation_accuracy is None
    assert "rate_too_high" in [hint.name for hint in summary.hints]
    with pytest.raises(RunError, match="became non-finite"):
        trainer.step()


def test_own_arrays_are_not_called_a_dataset():
    X, y = np.zeros((20, 64)), np.arange(20) % 10
    assert Trainer(RunConfig(layers=(64, 10), epochs=1), data=(X, y)).run().to_dict()["data"] == "arrays"


def test_a_batch_beyond_a_small_source_needs_no_more_memory(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(f"{k % 7},{k % 3},{k % 2}" for k in range(40)))
    config = RunConfig(layers=(2, 4, 2), dataset=str(path), batch_size=10**9, epochs=1)
    assert Trainer(config).run().steps == 1


def test_the_newest_run_has_its_threads_in_any_order_of_ends():
    from tuisim.backends.numpy.blas import thread_limit, threads

    if threads() is None:
        pytest.skip("nothing here tells BLAS's threads")
    before = threads()
    old, new = thread_limit.hold(1), thread_limit.hold(1)
    old.__enter__()
    new.__enter__()
    old.__exit__(None, None, None)
    assert threads() == 1
    new.__exit__(None, None, None)
    assert threads() == before


def test_throughput_is_not_shown_while_throttled():
    control = Control()
    control.set_speed_limit(200)
    script = Script(control, (at_step(5), lambda c: c.stop()))
    summary = Trainer(ENDLESS).run(script, control)
    assert summary.examples_per_second is None
    assert script.events(SpeedLimitChanged)[0].speed_limit == 200
    assert all(item.throughput is None for item in script.items if isinstance(item, Snapshot))
    assert summary.wall_seconds >= 4 / 200


def test_one_step_at_a_time_pauses_after_each():
    control = Control()
    control.set_speed_limit(0)
    script = Script(
        control,
        (paused, lambda c: c.step()),
        (at_step(1), lambda c: c.step()),
        (at_step(2), lambda c: c.set_speed_limit(None)),
        (at_step(100), lambda c: c.stop()),
    )
    summary = Trainer(ENDLESS).run(script, control)
    steps = [item.step for item in script.items if isinstance(item, Snapshot)]
    assert {0, 1, 2} <= set(steps)
    assert summary.steps >= 100
    watched = next(item for item in script.items if isinstance(item, Snapshot) and item.step == 1)
    assert watched.gradient_step == 1  # the very step a person asked for is the one shown


def test_a_changed_learning_rate_is_in_the_history_with_its_step():
    control = Control()
    script = Script(control, (at_step(50), lambda c: c.set_learning_rate(0.01)), (at_step(200), lambda c: c.stop()))
    Trainer(ENDLESS).run(script, control)
    change = script.events(LearningRateChanged)[0]
    last = [item for item in script.items if isinstance(item, Snapshot)][-1]
    assert last.learning_rate == change.learning_rate == 0.01
    assert last.curves.learning_rates == ((0, 0.1), (change.step, 0.01))
    assert change.step >= 50


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_wrong_learning_rate_or_speed_limit_is_refused(wrong):
    with pytest.raises(ConfigError):
        Control().set_learning_rate(wrong)
    if wrong != 0:
        with pytest.raises(ConfigError):
            Control().set_speed_limit(wrong)


def test_snapshots_are_immutable_and_consistent():
    control = Control()
    script = Script(control, (at_step(20_000), lambda c: c.stop()))
    trainer = Trainer(ENDLESS)
    trainer.run(script, control)
    snapshots = [item for item in script.items if isinstance(item, Snapshot)]
    last = snapshots[-1]
    assert last.examples_seen == last.epoch * 1_618 + last.examples_this_epoch
    assert last.state is State.STOPPED
    assert len(last.gradients) == 2
    assert all(sum(layer.histogram) <= layer.sampled <= layer.total for layer in last.gradients)
    assert dict(last.phase_seconds).keys() == {"data", "forward", "loss", "backward", "update"}
    assert not last.curves.losses.flags.writeable
    assert len(last.curves.losses) == len(last.curves.steps) <= 513
    assert last.curves.steps[-1] == last.step
    assert last.curves.validation_steps[-1] == last.step
    assert last.seconds <= last.training_seconds <= last.wall_seconds
    for earlier, later in pairwise(snapshots):
        assert earlier.step <= later.step
        assert earlier.operations_done <= later.operations_done
    with pytest.raises(AttributeError):
        last.step = 3
