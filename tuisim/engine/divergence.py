"""Where a run became non-finite: which layer first, in which half of which step.

Read from the buffers as the stopped step left them: its forward half done, everything else still of the step before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuisim.backends import BoundStep


def locate(step: BoundStep, number: int) -> str:
    """One line on the first non-finite value, given the step (the `number`th, from 1) whose loss was not finite.

    In the order things are computed: the gradients of the step before (from the last layer down), the parameters it
    left, then the activations of this one (from the first layer up), then the loss itself.
    """
    layers = range(1, len(step.program.layers))
    if number > 1:
        for layer in reversed(layers):
            if not _finite(step.read(f"g{layer}")):
                return f"the gradient of layer {layer} became non-finite at step {number - 1:,}; a smaller learning rate may help"
        for layer in layers:
            if not _finite(step.read(f"theta{layer}")):
                return (
                    f"the parameters of layer {layer} became non-finite at step {number - 1:,}; a smaller learning rate may help"
                )
    for layer in layers:
        if not _finite(step.read(step.program.layer_output(layer))):
            return f"the output of layer {layer} became non-finite at step {number:,}; a smaller learning rate may help"
    return f"the loss became non-finite at step {number:,}; a smaller learning rate may help"


def _finite(values: NDArray[Any]) -> bool:
    return bool(np.isfinite(values).all())
