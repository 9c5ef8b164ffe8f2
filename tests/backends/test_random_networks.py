"""Every backend trains 500 random networks as PyTorch did, in float64: losses and final parameters to 1e-9."""

from collections import Counter
from importlib.util import find_spec

import pytest

from tests.support.random_networks import TOLERANCE, difference_on, recorded
from tuisim.config.choices import ACTIVATIONS, HYPERPARAMETERS, LOSSES, OPTIMIZERS, SCHEDULES

NUMBA = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
NETWORKS = recorded()


def test_the_recording_has_every_kind_of_network():
    configs = [network.config for network in recorded()]
    assert len(configs) == 500
    for field, names in (("loss", LOSSES), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        assert min(Counter(config[field] for config in configs)[name] for name in names) > 50
    assert {config["output_activation"] for config in configs} == set(ACTIVATIONS)
    assert {name for config in configs if len(config["layers"]) > 2 for name in config["hidden_activation"]} == set(ACTIVATIONS)
    assert {len(config["layers"]) - 1 for config in configs} == set(range(1, 11))
    assert sum(config["clip_norm"] is not None for config in configs) > 100
    assert sum(config["weight_decay"] > 0 for config in configs) > 200
    assert sum(config["warmup_steps"] > 0 for config in configs) > 100
    assert sum(network.examples % network.config["batch_size"] > 0 for network in recorded()) > 250
    for name in {name for names in HYPERPARAMETERS.values() for name in names}:
        assert sum(name in config for config in configs) > 10


def test_few_networks_have_a_larger_tolerance():
    """A network may differ by more than 1e-9 from the recording only if PyTorch's doubles differ as much from the exact run."""
    assert sum(network.allowed > TOLERANCE for network in recorded()) <= 3


@pytest.mark.parametrize(
    ("backend", "stepwise", "networks"),
    [
        pytest.param("numpy", True, NETWORKS, id="numpy"),
        pytest.param("numba", True, NETWORKS, id="numba", marks=NUMBA),
        pytest.param("scalar", True, NETWORKS[::2], id="scalar"),  # plain Python: half of them
        pytest.param("numpy", False, NETWORKS[1::2], id="numpy, one run"),
        pytest.param("numba", False, NETWORKS[1::2], id="numba, one run", marks=NUMBA),
    ],
)
def test_a_backend_trains_as_recorded(backend, stepwise, networks):
    far = {}
    for network in networks:
        found = difference_on(network, backend, stepwise=stepwise)
        if not found <= network.allowed:
            far[network.number] = f"{found:.1e}, allowed {network.allowed:.1e}: {network.config}"
    assert not far
