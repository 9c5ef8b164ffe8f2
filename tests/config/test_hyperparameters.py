"""The hyperparameters of the optimizers: their effect on every backend, and their bounds."""

import numpy as np
import pytest

from tuisim import RunConfig, Trainer
from tuisim.config.choices import HYPERPARAMETERS
from tuisim.errors import ConfigError

OTHER = {"momentum": 0.5, "beta1": 0.7, "beta2": 0.9, "rmsprop_decay": 0.8, "epsilon": 0.01}
RNG = np.random.default_rng(7)
DATA = RNG.normal(size=(8, 4)), RNG.normal(size=(8, 2))


def trained(optimizer: str, backend: str, **changed: float) -> list[np.ndarray]:
    config = RunConfig(
        layers=(4, 3, 2), hidden_activation="tanh", loss="mse", optimizer=optimizer, backend=backend, dtype="float64",
        batch_size=4, validation=0, **changed,
    )  # fmt: skip
    trainer = Trainer(config, data=DATA)
    for _ in range(5):
        trainer.step()
    return [array for pair in trainer.parameters() for array in pair]


@pytest.mark.parametrize("optimizer", [name for name, fields in HYPERPARAMETERS.items() if fields])
def test_each_hyperparameter_has_the_same_effect_on_every_backend(optimizer):
    for field in HYPERPARAMETERS[optimizer]:
        by_backend = {name: trained(optimizer, name, **{field: OTHER[field]}) for name in ("numpy", "scalar", "numba")}
        usual = trained(optimizer, "numpy")
        assert any(np.abs(one - other).max() > 1e-6 for one, other in zip(usual, by_backend["numpy"], strict=True)), field
        for name in ("scalar", "numba"):
            for one, other in zip(by_backend["numpy"], by_backend[name], strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12, err_msg=f"{field} {name}")


def test_momentum_is_the_kept_share_of_the_velocity():
    config = RunConfig(layers=(1, 1), loss="mse", optimizer="momentum", momentum=0.25, learning_rate=0.5, batch_size=1,
                       shuffle=False, dtype="float64", validation=0)  # fmt: skip
    trainer = Trainer(config, data=(np.ones((2, 1)), np.zeros((2, 1))), parameters=[(np.ones((1, 1)), np.zeros(1))])
    w, b, velocity = 1.0, 0.0, 0.0
    for _ in range(2):
        trainer.step()
        velocity = 0.25 * velocity + 2 * (w + b)
        w, b = w - 0.5 * velocity, b - 0.5 * velocity
    assert trainer.parameters()[0][0].item() == pytest.approx(w, rel=1e-14)


@pytest.mark.parametrize(
    ("field", "value"),
    [("momentum", 1.0), ("beta1", -0.1), ("beta2", "much"), ("rmsprop_decay", float("nan")), ("epsilon", 0), ("epsilon", 1e-40)],
)
def test_a_hyperparameter_out_of_range_is_refused_with_its_name(field, value):
    with pytest.raises(ConfigError) as refused:
        RunConfig(layers=(2, 1), **{field: value})
    assert [mistake.field for mistake in refused.value.mistakes] == [field]


def test_an_epsilon_below_float32_is_valid_for_float64():
    assert RunConfig(layers=(2, 1), dtype="float64", epsilon=1e-40).epsilon == 1e-40


def test_the_remedy_for_epsilon_names_a_known_dtype():
    with pytest.raises(ConfigError) as refused:
        RunConfig(layers=(2, 1), dtype="half", epsilon=0)
    remedies = {mistake.field: mistake.remedy for mistake in refused.value.mistakes}
    assert remedies["epsilon"] == "a number from 1.18e-38, the smallest normal one of float32"
