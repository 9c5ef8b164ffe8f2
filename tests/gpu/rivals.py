"""PyTorch's step on a card, three ways: eager, compiled, and captured once in a CUDA graph that is then replayed.

Full precision, as ours: PyTorch leaves TF32 off unless asked. Batches lie ready on the card and no loss is handed back, where
our steps gather their rows and give every loss. It knows nothing of who is timed beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from tuisim.features.compare.bench.cases import Case
from tuisim.features.compare.bench.peers import Torch

WARM_STEPS = 11
"""Before a capture, as PyTorch's own examples have it, on a stream of their own."""


class OnCard(Torch):
    """Waits for the card at the end of its steps; its update is PyTorch's fused one."""

    options: ClassVar[dict[str, Any]] = {"fused": True}

    def __init__(self, case: Case, compiled: bool = False, device: str = "cuda") -> None:
        super().__init__(case, compiled, device)
        self._wait: Callable[[], object] = self.torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def steps(self, count: int) -> None:
        super().steps(count)
        self._wait()


class Captured(OnCard):
    """Forward, backward and update as one graph; each step copies its batch into the graph's input and launches it.

    Warming up and capturing make steps, so the parameters are put back after them.
    """

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        torch: Any = self.torch
        kept = [parameter.detach().clone() for layer in self._linear for parameter in (layer.weight, layer.bias)]
        self._x, self._y = (part.clone() for part in self._batches[0])
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_STEPS):
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


RIVALS: dict[str, Callable[[Case], OnCard]] = {
    "PyTorch eager": OnCard,
    "PyTorch compiled": lambda case: OnCard(case, compiled=True),
    "PyTorch graph": Captured,
}
