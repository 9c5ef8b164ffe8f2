"""Random small networks bound to the scalar backend."""

import numpy as np
from hypothesis import strategies as st

from tuisim import RunConfig
from tuisim.backends import get_backend
from tuisim.config.choices import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES
from tuisim.engine import initializers
from tuisim.program import build


def bound(config, learning=True, rows=None):
    """Return a scalar step of `config` with its initial parameters and random data of `rows` rows."""
    rng = np.random.default_rng(config.seed)
    step = get_backend("scalar").bind(build(config, learning=learning))
    for layer, (W, b) in enumerate(initializers.parameters(config), 1):
        step.write(f"W{layer}", W)
        step.write(f"b{layer}", b)
    rows = rows or config.batch_size
    X = rng.standard_normal((rows, config.layers[0]))
    if config.loss == "cross_entropy":
        step.attach(X, rng.integers(0, config.layers[-1], rows))
    else:
        step.attach(X, rng.integers(0, 2, (rows, config.layers[-1])).astype(float))
    return step


@st.composite
def configs(draw):
    """Draw configurations of small networks."""
    layers = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    return RunConfig(
        layers=layers,
        hidden_activation=draw(st.lists(st.sampled_from(ACTIVATIONS), min_size=len(layers) - 2, max_size=len(layers) - 2)),
        output_activation=draw(st.sampled_from(ACTIVATIONS)),
        loss=draw(st.sampled_from(LOSSES)),
        optimizer=draw(st.sampled_from(OPTIMIZERS)),
        weight_decay=draw(st.sampled_from([0.0, 0.01])),
        clip_norm=draw(st.sampled_from([None, 0.1, 100.0])),
        schedule=draw(st.sampled_from(SCHEDULES)),
        schedule_steps=4,
        warmup_steps=draw(st.integers(0, 2)),
        batch_size=draw(st.integers(1, 5)),
        learning_rate=0.01,
        dtype="float64",
        seed=draw(st.integers(0, 10**6)),
    )
