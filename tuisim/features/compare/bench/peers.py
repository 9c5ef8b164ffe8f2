"""The same step by other libraries, if they are installed: PyTorch, JAX and scikit-learn.

Each starts from the same parameters and takes the same batches. Nothing is imported until one is constructed.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from tuisim.errors import RunError
from tuisim.features.compare.bench.cases import Array, BatchSteps, Case, Make, batches, flat


def installed() -> dict[str, Make]:
    """Return the installed peers by name."""
    found: dict[str, Make] = {}
    if find_spec("torch"):
        found |= {"PyTorch eager": Torch, "PyTorch compiled": lambda case: Torch(case, compiled=True)}
    if find_spec("jax"):
        found |= {"JAX jit": Jax, "JAX lax.scan": JaxScan}
    if find_spec("sklearn"):
        found |= {"scikit-learn": ScikitLearn}
    return found


class Torch(BatchSteps):
    """PyTorch's modules, autograd and SGD, one step per call; optionally compiled by torch.compile, on `device`."""

    options: ClassVar[dict[str, Any]] = {}
    """Options of its optimizer."""

    def __init__(self, case: Case, compiled: bool = False, device: str = "cpu") -> None:
        self.torch = torch = import_module("torch")
        torch.set_num_threads(case.config.threads)
        config = case.config
        dtype = torch.float64 if config.dtype == "float64" else torch.float32
        layers: list[Any] = []
        for (W, b), name in zip(case.parameters, config.activations, strict=True):
            linear = torch.nn.Linear(*W.shape, dtype=dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(np.ascontiguousarray(W.T)))
                linear.bias.copy_(torch.from_numpy(b))
            layers.append(linear)
            if name == "relu":
                layers.append(torch.nn.ReLU())
        self._linear = [layer for layer in layers if isinstance(layer, torch.nn.Linear)]
        network = torch.nn.Sequential(*layers).to(device)
        measure = torch.nn.CrossEntropyLoss() if config.loss == "cross_entropy" else torch.nn.MSELoss()
        optimizer = torch.optim.SGD(network.parameters(), lr=config.learning_rate or 0.0, **self.options)

        def loss(x: Any, y: Any) -> Any:
            return measure(network(x), y)

        if compiled:
            # Else the code compiled for an earlier case is generalized to this one's shapes.
            torch.compiler.reset()
            loss = torch.compile(loss, dynamic=False)
        self._loss, self._optimizer = loss, optimizer
        X, y = torch.from_numpy(case.X).to(device), torch.from_numpy(case.y).to(device)
        self._batches = batches(X, y, config.batch_size)

    def _one(self, x: Any, y: Any) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        self._loss(x, y).backward()
        self._optimizer.step()

    def read(self) -> Array:
        """Return all parameters, flat."""
        return flat([(layer.weight.detach().cpu().numpy().T, layer.bias.detach().cpu().numpy()) for layer in self._linear])


def _jax(threads: int) -> Any:
    """Import JAX with `threads` threads: it starts one for each core that it may run on, and has no setting for it."""
    if not hasattr(os, "sched_setaffinity"):
        jax: Any = import_module("jax")
        return jax
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(cores)[:threads]))
    try:
        jax = import_module("jax")
        jax.devices()
    finally:
        os.sched_setaffinity(0, cores)
    return jax


class Jax(BatchSteps):
    """JAX's jit of loss, gradient and update, one step per call, with donated parameters."""

    def __init__(self, case: Case) -> None:
        jax = _jax(case.config.threads or 1)
        jnp = jax.numpy

        config = case.config
        if config.dtype == "float64" and not jax.config.jax_enable_x64:
            raise RunError("JAX has only float32 unless JAX_ENABLE_X64 is set")

        def loss(parameters: Any, x: Any, y: Any) -> Any:
            for (W, b), name in zip(parameters, config.activations, strict=True):
                x = x @ W + b
                x = jnp.maximum(x, 0) if name == "relu" else x
            if config.loss == "mse":
                return ((x - y) ** 2).mean()
            return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()

        def step(parameters: Any, x: Any, y: Any) -> Any:
            gradient = jax.grad(loss)(parameters, x, y)
            return jax.tree.map(lambda p, g: p - config.learning_rate * g, parameters, gradient)

        self._jax, self._function = jax, step
        self._step = jax.jit(step, donate_argnums=0)
        self._parameters = [(jnp.array(W), jnp.array(b)) for W, b in case.parameters]
        X, y = jnp.array(case.X), jnp.array(case.y.astype(np.int32) if case.y.dtype.kind == "i" else case.y)
        self._X, self._y = (rows.reshape(-1, config.batch_size, *rows.shape[1:]) for rows in (X, y))
        self._batches = list(zip(self._X, self._y, strict=True))

    def steps(self, count: int) -> None:
        """Make `count` steps."""
        super().steps(count)
        self._jax.block_until_ready(self._parameters)

    def _one(self, x: Any, y: Any) -> None:
        self._parameters = self._step(self._parameters, x, y)

    def read(self) -> Array:
        """Return all parameters, flat."""
        return flat([(np.asarray(W), np.asarray(b)) for W, b in self._parameters])


class JaxScan(Jax):
    """Many steps per call: `lax.scan` over the batches, compiled for the few lengths that occur."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        lax, one = self._jax.lax, self._function

        def many(parameters: Any, X: Any, y: Any) -> Any:
            return lax.scan(lambda p, rows: (one(p, *rows), None), parameters, (X, y))[0]

        self._many = self._jax.jit(many, donate_argnums=0)

    def steps(self, count: int) -> None:
        """Make `count` steps."""
        # Always from the first batch, so that only two lengths occur and nothing is compiled while it is timed.
        while count > 0:
            taken = min(count, len(self._X))
            self._parameters = self._many(self._parameters, self._X[:taken], self._y[:taken])
            count -= taken
        self._jax.block_until_ready(self._parameters)


class ScikitLearn(BatchSteps):
    """scikit-learn's MLPClassifier or MLPRegressor, one batch per `partial_fit`."""

    def __init__(self, case: Case) -> None:
        networks: Any = import_module("sklearn.neural_network")

        config = case.config
        hidden = config.activations[:-1]
        if config.output_activation != "identity" or any(name != "relu" for name in hidden):
            raise RunError("it has no activation after the last layer, and one for all hidden ones")
        kind = networks.MLPClassifier if config.loss == "cross_entropy" else networks.MLPRegressor
        # Its squared loss is halved and summed over the outputs: the learning rate compensates.
        rate = (config.learning_rate or 0.0) * (1.0 if config.loss == "cross_entropy" else 2.0 / config.layers[-1])
        self._network = kind(
            hidden_layer_sizes=config.layers[1:-1], activation="relu", solver="sgd", alpha=0.0, batch_size=config.batch_size,
            learning_rate="constant", learning_rate_init=rate, momentum=0.0, nesterovs_momentum=False, shuffle=False,
        )  # fmt: skip
        self._classes = {"classes": np.arange(config.layers[-1])} if config.loss == "cross_entropy" else {}
        self._batches = batches(case.X, case.y, config.batch_size)
        # The first call allocates its arrays, which are then overwritten.
        self._network.partial_fit(*self._batches[0], **self._classes)
        for pair, given in zip(zip(self._network.coefs_, self._network.intercepts_, strict=True), case.parameters, strict=True):
            for into, values in zip(pair, given, strict=True):
                into[...] = values

    def _one(self, x: Array, y: Array) -> None:
        self._network.partial_fit(x, y)

    def read(self) -> Array:
        """Return all parameters, flat."""
        return flat(list(zip(self._network.coefs_, self._network.intercepts_, strict=True)))
