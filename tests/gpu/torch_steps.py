"""PyTorch's training step on a GPU in three ways: eager, compiled, and as a CUDA graph that is captured once and replayed.

All in full precision, like ours: PyTorch's TF32 is off by default. PyTorch finds its batches on the GPU and returns no loss;
our steps gather their rows and return every loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tuisim.features.compare.bench.cases import Case
from tuisim.features.compare.bench.peers import Torch

WARM_UP_STEPS = 11
"""Steps before a capture, on a stream of their own, as in PyTorch's examples."""


class TorchOnGPU(Torch):
    """Steps with PyTorch's fused update, which wait for the GPU at their end."""

    options: ClassVar[dict[str, Any]] = {"fused": True}

    def __init__(self, case: Case, compiled: bool = False, device: str = "cuda") -> None:
        super().__init__(case, compiled, device)
        self._wait: Callable[[], object] = self.torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def steps(self, count: int) -> None:
        super().steps(count)
        self._wait()


class TorchGraph(TorchOnGPU):
    """Forward, backward and update as one CUDA graph; each step copies its batch into the graph's input and launches it.

    Warming up and capturing change the parameters, which are restored after them.
    """

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        torch: Any = self.torch
        kept = [parameter.detach().clone() for layer in self._linear for parameter in (layer.weight, layer.bias)]
        self._x, self._y = (part.clone() for part in self._batches[0])
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP_STEPS):
                super()._one(self._x, self._y)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        self._optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self._graph):
            super()._one(self._x, self._y)
        with torch.no_grad():
            parameters = (parameter for layer in self._linear for parameter in (layer.weight, layer.bias))
            for parameter, value in zip(parameters, kept, strict=True):
                parameter.copy_(value)

    def _one(self, x: Any, y: Any) -> None:
        self._x.copy_(x)
        self._y.copy_(y)
        self._graph.replay()


TORCH_STEPS: dict[str, Callable[[Case], TorchOnGPU]] = {
    "PyTorch eager": TorchOnGPU,
    "PyTorch compiled": lambda case: TorchOnGPU(case, compiled=True),
    "PyTorch graph": TorchGraph,
}
