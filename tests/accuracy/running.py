"""Run one kind of operation of a bound step on each backend, by the calls of the step itself.

A whole step cannot reach every point: it ends at a loss that is not finite, and matrix products have no −0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import numpy as np

from tuisim import RunConfig
from tuisim.backends import get_backend
from tuisim.program import Kind, Phase, build

Bind = Callable[[Any], Any]


class Running:
    """A step of one layer with `batch` rows of `width` outputs, which keeps subnormal numbers."""

    def __init__(self, backend: str, bind: Bind, dtype: str, batch: int, width: int, **config: Any) -> None:
        made = RunConfig(layers=(1, width), batch_size=batch, dtype=dtype, subnormals="keep", **config)
        self.step = bind(build(made))
        self._do = _DO[backend]
        classes = made.loss == "cross_entropy"
        targets = np.zeros(batch, np.int64) if classes else np.zeros((batch, width), dtype)
        self.step.attach(np.zeros((batch, 1), dtype), targets)
        self.write("b1", -0.0)

    def write(self, name: str, values: Any) -> None:
        shape = self.step.program.buffers[name].shape
        self.step.write(name, np.ascontiguousarray(np.broadcast_to(np.asarray(values), shape)))

    def read(self, name: str) -> Any:
        return self.step.read(name)

    def do(self, *kinds: Kind) -> float:
        """Run the operations of these kinds and return the loss."""
        with np.errstate(all="ignore"):
            return float(self._do(self.step, kinds))

    def update(self) -> None:
        """Run the whole update."""
        self.do(*{op.kind for op in self.step.program.ops if op.phase is Phase.UPDATE})


def _scalar(step: Any, kinds: tuple[Kind, ...]) -> float:
    for op, tally in zip(step.program.ops, step.tallies, strict=True):
        if op.kind in kinds:
            step._execute(op, np.zeros(step.program.batch, np.intp), tally)
    return step._loss


def _numpy(step: Any, kinds: tuple[Kind, ...]) -> float:
    for op, call in chain(*step._op_calls.values()):
        if op.kind in kinds:
            call()
    return step._mean()


def _numba(step: Any, kinds: tuple[Kind, ...]) -> float:
    rows = np.zeros(step.program.batch, np.int64)
    for number, op in enumerate(step.program.ops):
        if op.kind in kinds:
            step._call(step._span(number, number + 1), rows)
    return step._loss


def _cupy(step: Any, kinds: tuple[Kind, ...]) -> float:
    # A bias and its activation are one launch, the second of the layer's two.
    activation = [(Kind.ACTIVATION, call) for _, call in step._phases[Phase.FORWARD][1::2]]
    others = [(op.kind, call) for op, call in step._calls(Phase.LOSS, Phase.BACKWARD, Phase.UPDATE)]

    def run(gpu: Any) -> float:
        buffers = step._buffers
        step._prepare(np.zeros(step.program.batch, np.int64), 1)
        gpu.put(buffers.common.step, int(kinds[0] in UPDATES))  # an update belongs to the step just counted
        for kind, call in (*activation, *others):
            if kind in kinds:
                call()
        buffers.stopped.fill(0)
        return buffers.losses[:1].get()[0]

    return step._thread.do(run)


UPDATES = frozenset({
    Kind.BIAS_CORRECTION, Kind.DECOUPLED_DECAY, Kind.SGD, Kind.MOMENTUM, Kind.NESTEROV, Kind.RMSPROP, Kind.ADAM,
})  # fmt: skip
_DO = {"scalar": _scalar, "numpy": _numpy, "numba": _numba, "cupy": _cupy}

CELLS = (
    ("scalar", "float64"), ("numpy", "float32"), ("numpy", "float64"), ("numba", "float32"), ("numba", "float64"),
    ("cupy", "float32"), ("cupy", "float64"),
)  # fmt: skip
"""Backend and dtype of each column; the scalar backend computes in float64."""


@contextmanager
def bound() -> Iterator[dict[str, Bind]]:
    """Yield a function that binds a program for each backend that works here; CuPy's kernels run on the emulated GPU."""
    found: dict[str, Bind] = {name: get_backend(name).bind for name in ("scalar", "numpy")}
    with suppress(ImportError):
        import numba  # noqa: F401

        found["numba"] = get_backend("numba").bind
    from tests.support.cuda_emulator import installed

    with installed():
        from tuisim.backends.cupy import CupyBackend

        yield found | {"cupy": CupyBackend().bind}
