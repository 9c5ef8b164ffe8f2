"""Learning-rate schedules and gradient clipping: the formulas, and whole runs compared with independent code."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuisim import RunConfig, Trainer, count
from tuisim.errors import ConfigError
from tuisim.program import Kind, Schedule, build, schedule_of

SMALL = RunConfig(
    layers=(5, 4, 3), hidden_activation="tanh", loss="mse", examples=26, batch_size=8, epochs=3, validation=0, dtype="float64"
)


def with_(**changes):
    return RunConfig(**(SMALL.to_dict() | changes))


# ── the factors ──


def test_the_constant_factor_is_one():
    schedule = Schedule("constant", None, 0)
    assert [schedule.factor(t) for t in (0, 10**9)] == [1.0, 1.0]
    assert not schedule.varies


def test_the_step_schedule_drops_to_a_tenth():
    schedule = Schedule("step", 4, 0)
    assert [schedule.factor(t) for t in (0, 3, 4, 7, 8)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_the_cosine_falls_from_one_to_zero():
    schedule = Schedule("cosine", 100, 0)
    assert schedule.factor(0) == 1.0
    assert schedule.factor(50) == pytest.approx(0.5)
    assert schedule.factor(25) == pytest.approx((1 + math.sqrt(0.5)) / 2)
    assert [schedule.factor(t) for t in (100, 101, 10**9)] == [0.0, 0.0, 0.0]


def test_warm_up_is_linear_for_every_schedule():
    for name in ("constant", "step", "cosine"):
        schedule = Schedule(name, 20, 5)
        assert schedule.varies
        assert [schedule.factor(t) for t in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert Schedule("cosine", 20, 5).factor(20) == 0.0
    assert Schedule("step", 20, 5).factor(24) == 1.0
    assert Schedule("step", 20, 5).factor(25) == pytest.approx(0.1)


@given(st.sampled_from(["constant", "step", "cosine"]), st.integers(1, 1000), st.integers(0, 50), st.integers(0, 5000))
def test_factors_are_between_zero_and_one(name, steps, warmup, t):
    schedule = Schedule(name, steps + warmup, warmup)
    assert 0.0 <= schedule.factor(t) <= 1.0
    if t >= warmup:
        assert schedule.factor(t + 1) <= schedule.factor(t)


def test_a_schedule_without_a_length_has_factors_only_in_the_warm_up():
    schedule = schedule_of(with_(schedule="cosine", examples=None, warmup_steps=2))
    assert schedule.factor(1) == 1.0
    with pytest.raises(ValueError, match="needs its number of steps"):
        schedule.factor(2)


def test_the_length_follows_from_the_run():
    assert with_(schedule="cosine").resolved().schedule_steps == 12
    assert with_(schedule="step").resolved().schedule_steps == 4
    assert with_(schedule="step", schedule_steps=7).resolved().schedule_steps == 7
    assert SMALL.resolved().schedule_steps is None
    digits = RunConfig(layers=(64, 10), dataset="digits", schedule="cosine", epochs=2, validation=0)
    assert Trainer(digits).config.schedule_steps == 2 * 57  # the volume is the data's to say


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("schedule", {"schedule": "cosin"}),
        ("schedule_steps", {"schedule": "cosine", "epochs": None}),
        ("schedule_steps", {"schedule": "cosine", "schedule_steps": 5, "warmup_steps": 5}),
        ("schedule_steps", {"schedule_steps": 0}),
        ("warmup_steps", {"warmup_steps": -1}),
        ("clip_norm", {"clip_norm": 0}),
        ("clip_norm", {"clip_norm": math.inf}),
        ("clip_norm", {"clip_norm": 1e39, "dtype": "float32"}),
    ],
)
def test_invalid_values_are_reported_by_field(field, changes):
    with pytest.raises(ConfigError) as found:
        with_(**changes)
    assert field in [mistake.field for mistake in found.value.mistakes]


# ── whole runs ──


@pytest.mark.parametrize("backend", ["numpy", "scalar"])
@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_sgd_by_hand(backend, schedule):
    """θ ← θ − α·fₜ·min(1, c / (‖g‖ + 10⁻⁶))·g, with fₜ written out here."""
    config = with_(backend=backend, schedule=schedule, warmup_steps=3, clip_norm=0.4, learning_rate=0.3)
    factors = {
        "constant": [1.0] * 9,
        "step": [1.0] * 4 + [0.1] * 4 + [0.01],
        "cosine": [(1 + math.cos(math.pi * t / 9)) / 2 for t in range(9)],
    }[schedule]
    trainer = Trainer(config)
    clipped = 0
    for factor in [1 / 3, 2 / 3, 1.0, *factors]:
        before = [np.concatenate([W.ravel(), b]) for W, b in trainer.parameters()]
        trainer.step()
        gradient = [np.concatenate([W.ravel(), b]) for W, b in trainer.gradients()]
        norm = math.sqrt(sum(float(g @ g) for g in gradient))
        clipped += norm > 0.4
        scale = min(1.0, 0.4 / (norm + 1e-6))
        for theta, g, (W, b) in zip(before, gradient, trainer.parameters(), strict=True):
            np.testing.assert_allclose(np.concatenate([W.ravel(), b]), theta - 0.3 * factor * scale * g, rtol=1e-12, atol=1e-15)
    assert clipped > 0, "nothing was clipped, so nothing was shown"


def test_adamw_by_hand_under_a_schedule():
    """PyTorch's order: clip, then decay by the scheduled rate, then Adam with its corrections."""
    config = with_(optimizer="adamw", schedule="cosine", warmup_steps=2, clip_norm=0.3, weight_decay=0.1, learning_rate=0.05)
    trainer = Trainer(config)
    theta = np.concatenate([part.ravel() for pair in trainer.parameters() for part in pair])
    first, second = np.zeros_like(theta), np.zeros_like(theta)
    for t in range(12):
        trainer.step()
        g = np.concatenate([part.ravel() for pair in trainer.gradients() for part in pair])
        g = g * min(1.0, 0.3 / (np.linalg.norm(g) + 1e-6))
        rate = 0.05 * ((t + 1) / 2 if t < 2 else (1 + math.cos(math.pi * (t - 2) / 10)) / 2)
        theta = theta * (1 - rate * 0.1)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        theta = theta - rate * (first / (1 - 0.9 ** (t + 1))) / (np.sqrt(second / (1 - 0.999 ** (t + 1))) + 1e-8)
        now = np.concatenate([part.ravel() for pair in trainer.parameters() for part in pair])
        np.testing.assert_allclose(now, theta, rtol=1e-10, atol=1e-14)


def test_clipping_comes_before_decay_and_both_keep_the_gradient_readable():
    plain, both = Trainer(SMALL), Trainer(with_(clip_norm=0.05, weight_decay=0.5, learning_rate=1.0))
    theta = [W.copy() for W, _ in both.parameters()]
    plain.step()
    both.step()
    norm = math.sqrt(sum(float((part**2).sum()) for pair in both.gradients() for part in pair))
    for before, (g, _), (other, _), (W, _) in zip(theta, both.gradients(), plain.gradients(), both.parameters(), strict=True):
        np.testing.assert_array_equal(g, other)
        np.testing.assert_allclose(W, before - (0.05 / (norm + 1e-6) * g + 0.5 * before), rtol=1e-12)


def test_a_clip_norm_that_is_never_reached_changes_nothing():
    free, limited = Trainer(SMALL), Trainer(with_(clip_norm=1e6))
    assert free.run().loss == limited.run().loss
    for (W, b), (V, c) in zip(free.parameters(), limited.parameters(), strict=True):
        np.testing.assert_array_equal(W, V)
        np.testing.assert_array_equal(b, c)


def test_the_gradient_norm_includes_all_blocks_of_a_large_network():
    """Updates go block by block; the norm must be known before the first block is updated."""
    config = RunConfig(
        layers=(200, 300, 10), examples=64, batch_size=64, epochs=None, validation=0, clip_norm=0.01, weight_decay=0.1,
        optimizer="momentum", learning_rate=0.5, dtype="float64",
    )  # fmt: skip
    trainer = Trainer(config)
    before = np.concatenate([part.ravel() for pair in trainer.parameters() for part in pair])
    trainer.step()
    g = np.concatenate([part.ravel() for pair in trainer.gradients() for part in pair])
    assert np.linalg.norm(g) > 0.01
    after = np.concatenate([part.ravel() for pair in trainer.parameters() for part in pair])
    expected = before - 0.5 * (g * 0.01 / (np.linalg.norm(g) + 1e-6) + 0.1 * before)
    np.testing.assert_allclose(after, expected, rtol=1e-11, atol=1e-15)


def test_the_schedule_scales_a_learning_rate_set_during_the_run():
    trainer = Trainer(with_(schedule="step", schedule_steps=2, learning_rate=0.1))
    for _ in range(2):
        trainer.step()
    trainer._session.set_learning_rate(0.5)
    before = trainer.parameters()[0][0]
    trainer.step()
    np.testing.assert_allclose(trainer.parameters()[0][0], before - 0.05 * trainer.gradients()[0][0], rtol=1e-12)


# ── what it costs ──


def test_the_count_of_clipping_and_schedules():
    plain, dear = count(SMALL), count(with_(clip_norm=1.0, schedule="cosine", warmup_steps=1))
    parameters = SMALL.parameter_count
    more = {kind: getattr(dear.step_total, kind) - getattr(plain.step_total, kind) for kind in plain.step_total.as_dict()}
    assert more == {
        "multiply": 2 * parameters + 1, "add": parameters - 1 + 1, "divide": 1, "compare": 1, "sqrt": 1,
        "exp": 0, "log": 0, "activation": 0, "derivative": 0,
    }  # fmt: skip
    assert dear.memory.total - plain.memory.total == 8 * parameters  # the clipped gradient, beside the loss's
    kinds = [op.kind for op in build(with_(optimizer="adamw", weight_decay=0.1, schedule="cosine")).ops]
    assert kinds.index(Kind.SCHEDULED_RATE) < kinds.index(Kind.DECAY_FACTOR) < kinds.index(Kind.BIAS_CORRECTION)
    assert Kind.SCHEDULED_RATE not in [op.kind for op in build(SMALL).ops]


def test_a_cosine_shorter_than_its_warm_up_is_refused_by_field():
    """While `30` epochs are typed, `3` epochs are 96 steps, fewer than the 100 of the warm-up."""
    given = {"layers": (64, 32, 10), "schedule": "cosine", "warmup_steps": 100, "examples": 1_000}
    with pytest.raises(ConfigError, match=r"schedule_steps: fewer warm-up steps than the 96 of the whole run"):
        RunConfig(**given, epochs=3)
    assert RunConfig(**given, epochs=30).resolved().schedule_steps == 960


@pytest.mark.parametrize("backend", ["numpy", "scalar", "numba"])
def test_a_gradient_whose_square_overflows_float32_is_clipped(backend):
    config = RunConfig(layers=(2, 1), loss="mse", batch_size=1, clip_norm=1.0, learning_rate=0.5, backend=backend, validation=0)
    trainer = Trainer(config, (np.full((1, 2), 1e10), np.zeros((1, 1))), [(np.full((2, 1), 1.0), np.zeros(1))])
    trainer.step()  # ∂L/∂W = 2·(2e10)·1e10 = 4e20, whose square float32 does not hold
    (weights, _), *_ = trainer.parameters()
    assert weights.ravel().tolist() == pytest.approx([1 - 0.5 / 2**0.5] * 2, rel=1e-5)
