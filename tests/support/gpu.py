"""The emulated GPU as the one that tuisim finds, and a small network to train on it."""

from contextlib import contextmanager
from importlib import import_module

import numpy as np

from tuisim import RunConfig
from tuisim.backends import get_backend, registry
from tuisim.backends.registry import Probe
from tuisim.engine import initializers
from tuisim.engine.network import Network

BASE = RunConfig(layers=(5, 7, 4), batch_size=6, dtype="float64")


@contextmanager
def emulated_gpu(monkeypatch, total_bytes=64 << 20, runs_kernels=True):
    """Install the emulated GPU as the only one; a few blocks sum the squared gradient, which 128 would do slowly."""
    from tests.support.cuda_emulator import installed

    with installed(total_bytes, runs_kernels=runs_kernels) as gpu:
        monkeypatch.setattr(import_module("tuisim.backends.cupy.launches"), "NORM_BLOCKS", 3)
        monkeypatch.setattr(registry, "_found", registry._found | {"cupy": Probe("cupy", True, "14.2.0", "Emulated GPU")})
        yield gpu


def data(config, rows, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, config.layers[0])).astype(config.dtype)
    if config.loss == "cross_entropy":
        return X, rng.integers(0, config.layers[-1], rows)
    answers = rng.standard_normal((rows, config.layers[-1]))
    return X, (answers > 0 if config.loss == "binary_cross_entropy" else answers).astype(config.dtype)


def network(config, rows=40, backend="cupy", values=None):
    """A network with biases that are not zero, attached to random rows."""
    config = config.resolved()
    made = Network(config, get_backend(backend), config.batch_size)
    rng = np.random.default_rng(5)
    made.load([(W, rng.standard_normal(b.shape) * 0.3) for W, b in initializers.parameters(config)])
    made.attach(*(data(config, rows) if values is None else values))
    return made
