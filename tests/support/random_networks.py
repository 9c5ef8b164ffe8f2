"""500 random networks trained by PyTorch in float64, and the comparison of a backend with them.

`oracle/random_networks.npz`, written by `oracle/record_random_networks.py`, holds the configuration, losses and final parameters
of each network; data and initial parameters are drawn again from its number. The module needs only NumPy and tuisim, so that it
runs wherever a backend does; the recorder imports it without tuisim.
"""

import json
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

RECORD = Path(__file__).parents[1] / "oracle" / "random_networks.npz"
TOLERANCE = 1e-9
ROUNDING = 3
"""The tolerance of a run is this multiple of the rounding error of its reference, if that is more than TOLERANCE."""


def uniform(rng, *shape):
    """Return doubles from −1 to 1."""
    return 2.0 * rng.random(shape) - 1.0


def draw(number, layers, loss, examples):
    """Return (X, y, [(W, b)]) of network `number`, the same with every version of NumPy, since `random` of PCG64 is stable."""
    rng = np.random.Generator(np.random.PCG64(number))
    gain, scale = 2.0 ** rng.integers(-1, 2), 2.0 ** rng.integers(-2, 5)  # some networks reach saturated activations
    parameters = [(gain * uniform(rng, n, m) * np.sqrt(3.0 / n), 0.5 * uniform(rng, m)) for n, m in pairwise(layers)]
    X = scale * uniform(rng, examples, layers[0])
    if loss == "cross_entropy":
        return X, np.floor(rng.random(examples) * layers[-1]).astype(np.int64), parameters
    answers = rng.random((examples, layers[-1]))
    return X, np.floor(2.0 * answers) if loss == "binary_cross_entropy" else 2.0 * answers - 1.0, parameters


@dataclass(frozen=True)
class Recorded:
    """The recorded run of one network."""

    number: int
    config: dict
    """Fields of RunConfig; hyperparameters only if they are not the defaults."""
    examples: int
    steps: int
    losses: np.ndarray
    final: np.ndarray
    """All parameters after the last step: W, then b, layer by layer."""
    moved: float
    """The rounding error of the reference: its change by one ulp at the start, and its distance from a run with 40 digits."""

    @property
    def allowed(self):
        return max(TOLERANCE, ROUNDING * self.moved)


@cache
def recorded():
    """Return all recorded networks."""
    with np.load(RECORD, allow_pickle=False) as record:
        cases = json.loads(str(record["cases"]))
        losses, final, moved = record["losses"], record["final"], record["moved"]
    networks, step, parameter = [], 0, 0
    for case, movement in zip(cases, moved, strict=True):
        size = sum((n + 1) * m for n, m in pairwise(case["config"]["layers"]))
        run = losses[step : step + case["steps"]], final[parameter : parameter + size]
        networks.append(Recorded(case["number"], case["config"], case["examples"], case["steps"], *run, float(movement)))
        step, parameter = step + case["steps"], parameter + size
    return networks


def flat(parameters):
    return np.concatenate([part.ravel() for pair in parameters for part in pair])


def difference(layers, losses, final, of_losses, of_final):
    """Return the largest difference of a run from its reference, relative to the largest magnitude of its kind.

    A kind is one weight matrix, one bias vector, or the losses of all steps.
    """
    ends = np.cumsum([size for n, m in pairwise(layers) for size in (n * m, m)])
    parts = [*zip(np.split(final, ends[:-1]), np.split(of_final, ends[:-1]), strict=True), (np.asarray(losses), of_losses)]
    return max(float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))) for ours, theirs in parts)


def difference_on(network, backend, *, stepwise=True):
    """Return the difference of `backend` from the recording, by steps or in one run, which leaves out the losses."""
    from tuisim import RunConfig, Trainer

    config = RunConfig(**network.config, dtype="float64", shuffle=False, validation=0, backend=backend, threads=1)
    X, y, parameters = draw(network.number, config.layers, config.loss, network.examples)
    trainer = Trainer(config, data=(X, y), parameters=parameters)
    if stepwise:
        losses = [trainer.step() for _ in range(network.steps)]
    else:
        losses = network.losses
        assert trainer.run().steps == network.steps
    return difference(config.layers, losses, flat(trainer.parameters()), network.losses, network.final)
