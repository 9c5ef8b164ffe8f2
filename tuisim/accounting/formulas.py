"""Formulas for the number of scalar operations of each kind of operation, in B, N and M.

A sum of n terms is n − 1 additions, one more with a bias; a subtraction is an addition; an activation or derivative is
one operation, whatever is inside it. P = (N + 1)·M parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tuisim.accounting.operations import Operations
from tuisim.program import Kind, Op


@dataclass(frozen=True, slots=True)
class Formula:
    """The cost of one kind of operation."""

    what: str
    text: str
    """The formula as it is displayed."""
    count: Callable[[Op], Operations]


def _times(size: Callable[[Op], int], **counts: int) -> Callable[[Op], Operations]:
    """Return a formula of `size` times the same counts."""
    each = Operations(**counts)
    return lambda op: each * size(op)


def _mse(op: Op) -> Operations:
    """Count (a − t): E; squares: E; their sum: E − 1; × 1/E: 1; the gradient × 2/E: E, for E = B·M."""
    elements = op.batch * op.outputs
    return Operations(multiply=elements + 1 + elements * op.learning, add=2 * elements - 1)


def _cross_entropy(op: Op) -> Operations:
    """Per row: the maximum of M, subtract it, exp, sum, log, subtract the target's logit; then the mean over rows.

    `log1p` of the sum of the others is counted as an addition and a logarithm.
    The gradient: 1 / (B·sum) per row (one multiplication, one division), M multiplications, minus 1/B at the target.
    """
    rows, elements = op.batch, op.batch * op.outputs
    value = Operations(
        compare=elements - rows,
        add=elements + (elements - rows) + rows + (rows - 1),
        exp=elements,
        log=rows,
        multiply=1,
    )
    gradient = Operations(multiply=rows + elements, divide=rows, add=rows)
    return value + gradient if op.learning else value


def _binary_cross_entropy(op: Op) -> Operations:
    """Per output, with e = exp(−|z|): max(z, 0) − z·t + log(1 + e), and the mean over E = B·M outputs.

    |z| and max(z, 0) are a comparison each, `log1p` an addition and a logarithm.
    The gradient: σ = (1 or e, by z's sign: a comparison) / (1 + e), minus t, × 1/E.
    """
    elements = op.batch * op.outputs
    value = Operations(compare=2 * elements, exp=elements, log=elements, multiply=elements + 1, add=3 * elements + (elements - 1))
    gradient = Operations(compare=elements, divide=elements, add=elements, multiply=elements)
    return value + gradient if op.learning else value


_per_parameter = partial(_times, lambda op: op.parameters)
_per_output = partial(_times, lambda op: op.batch * op.outputs)
_per_product = partial(_times, lambda op: op.batch * op.inputs * op.outputs)
_once = partial(_times, lambda op: 1)

# Bias correction: β₁ᵗ and β₂ᵗ as running products (2 multiplications), 1 − each (2 additions), √ once, α·√ / (1 − β₁ᵗ), ε·√.
FORMULAS: dict[Kind, Formula] = {
    Kind.GATHER: Formula("batch loading", "", lambda op: Operations()),
    Kind.DENSE: Formula("a·W + b", "× B·N·M  + B·N·M", _per_product(multiply=1, add=1)),
    Kind.ACTIVATION: Formula("activations", "act B·M", _per_output(activation=1)),
    Kind.MSE: Formula("mean squared error", "× 2·B·M+1  + 2·B·M−1", _mse),
    Kind.CROSS_ENTROPY: Formula(
        "softmax, cross-entropy", "× B·M+B+1  + 2·B·M+2·B−1  > B·(M−1)  exp B·M  log B  ÷ B", _cross_entropy
    ),
    Kind.BINARY_CROSS_ENTROPY: Formula(
        "sigmoid, cross-entropy", "× 2·B·M+1  + 5·B·M−1  > 3·B·M  exp B·M  log B·M  ÷ B·M", _binary_cross_entropy
    ),
    Kind.ACTIVATION_GRADIENT: Formula("activation backward", "× B·M  act′ B·M", _per_output(multiply=1, derivative=1)),
    Kind.WEIGHT_GRADIENT: Formula(
        "weight gradient", "× B·N·M  + (B−1)·N·M",
        lambda op: Operations(multiply=op.batch * op.inputs * op.outputs, add=(op.batch - 1) * op.inputs * op.outputs),
    ),
    Kind.BIAS_GRADIENT: Formula("bias gradient", "+ (B−1)·M", lambda op: Operations(add=(op.batch - 1) * op.outputs)),
    Kind.INPUT_GRADIENT: Formula(
        "input gradient", "× B·N·M  + B·N·(M−1)",
        lambda op: Operations(multiply=op.batch * op.inputs * op.outputs, add=op.batch * op.inputs * (op.outputs - 1)),
    ),
    Kind.GRADIENT_SQUARES: Formula(
        "squared gradient norm", "× P  + P, P−1 in layer 1",
        lambda op: Operations(multiply=op.parameters, add=op.parameters - (op.layer == 1)),
    ),
    Kind.CLIP_FACTOR: Formula("clip factor", "√ 1  + 1  ÷ 1  > 1", _once(sqrt=1, add=1, divide=1, compare=1)),
    Kind.CLIP: Formula("gradient clipping", "× P", _per_parameter(multiply=1)),
    Kind.SCHEDULED_RATE: Formula("scheduled learning rate", "× 1", _once(multiply=1)),
    Kind.DECAY_FACTOR: Formula("decay factor", "× 1  + 1", _once(multiply=1, add=1)),
    Kind.WEIGHT_DECAY: Formula("weight decay", "× P  + P", _per_parameter(multiply=1, add=1)),
    Kind.BIAS_CORRECTION: Formula("bias correction", "× 4  + 2  ÷ 1  √ 1", _once(multiply=4, add=2, divide=1, sqrt=1)),
    Kind.DECOUPLED_DECAY: Formula("decoupled weight decay", "× P", _per_parameter(multiply=1)),
    Kind.SGD: Formula("SGD", "× P  + P", _per_parameter(multiply=1, add=1)),
    Kind.MOMENTUM: Formula("momentum", "× 2·P  + 2·P", _per_parameter(multiply=2, add=2)),
    Kind.NESTEROV: Formula("Nesterov momentum", "× 3·P  + 3·P", _per_parameter(multiply=3, add=3)),
    Kind.RMSPROP: Formula("RMSprop", "× 4·P  + 3·P  ÷ P  √ P", _per_parameter(multiply=4, add=3, divide=1, sqrt=1)),
    Kind.FLUSH_SUBNORMALS: Formula(
        "flush subnormals", "> P per buffer", lambda op: Operations(compare=len(op.writes) * op.parameters)
    ),
    Kind.ADAM: Formula("Adam, short form", "× 6·P  + 4·P  ÷ P  √ P", _per_parameter(multiply=6, add=4, divide=1, sqrt=1)),
}  # fmt: skip
