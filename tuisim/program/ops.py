"""The words of a step program: the kinds of operation, the phases they belong to, and the buffers they work on.

Shapes are (batch, features) for activations and (inputs, outputs) for weights; layers count from 1, input side first.
Nothing here computes: a backend makes each kind run, accounting gives each kind its formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The parts of a step, in the order they run."""

    DATA = "data"
    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    UPDATE = "update"


class Kind(StrEnum):
    """Every kind of operation a program may hold. B is the batch, N the inputs, M the outputs of the layer."""

    GATHER = "gather"
    """X, Y = rows of the data, by their indexes."""
    DENSE = "dense"
    """z = a·W + b."""
    ACTIVATION = "activation"
    """a = f(z), element by element."""
    MSE = "mse"
    """L = Σ(a − t)² / (B·M); with learning also ∂L/∂a = 2(a − t) / (B·M)."""
    CROSS_ENTROPY = "cross_entropy"
    """L = Σ (log Σ exp z − z_t) / B, softmax inside; with learning also ∂L/∂z = (softmax z − onehot t) / B."""
    BINARY_CROSS_ENTROPY = "binary_cross_entropy"
    """L = Σ (log(1 + exp z) − z·t) / (B·M) on logits; with learning also ∂L/∂z = (σ(z) − t) / (B·M)."""
    CORRECT_CLASSES = "correct_classes"
    """How many rows have their largest output at the target class; evaluation only."""
    CORRECT_OUTPUTS = "correct_outputs"
    """How many outputs are on the target's side of logit 0; evaluation only."""
    ACTIVATION_GRADIENT = "activation_gradient"
    """∂L/∂z = ∂L/∂a ⊙ f′(z)."""
    WEIGHT_GRADIENT = "weight_gradient"
    """∂L/∂W = aᵀ·∂L/∂z, summed over the batch."""
    BIAS_GRADIENT = "bias_gradient"
    """∂L/∂b = ∂L/∂z summed over the batch."""
    INPUT_GRADIENT = "input_gradient"
    """∂L/∂a of the layer below = ∂L/∂z·Wᵀ."""
    GRADIENT_SQUARES = "gradient_squares"
    """s ← s + Σg², layer by layer: the squared norm of the whole gradient."""
    CLIP_FACTOR = "clip_factor"
    """c = min(1, clip_norm / (√s + 10⁻⁶)): Pascanu, Mikolov & Bengio (2013), with PyTorch's guard against a zero."""
    CLIP = "clip"
    """g ← c·g, into a buffer of its own, so that the loss's gradient stays readable."""
    WEIGHT_DECAY = "weight_decay"
    """g ← g + λθ, into a buffer of its own as well, or into that of the clipped gradient."""
    SCHEDULED_RATE = "scheduled_rate"
    """α = α₀·fₜ, with fₜ the schedule's factor of this step, known before the run."""
    DECAY_FACTOR = "decay_factor"
    """1 − αλ, AdamW's, anew where the rate follows a schedule."""
    BIAS_CORRECTION = "bias_correction"
    """Adam's two scalars of a step: β₁ᵗ and β₂ᵗ carried along, α√(1−β₂ᵗ)/(1−β₁ᵗ) and ε√(1−β₂ᵗ)."""
    DECOUPLED_DECAY = "decoupled_decay"
    """θ ← θ·(1 − αλ), AdamW's."""
    SGD = "sgd"
    """θ ← θ − αg."""
    MOMENTUM = "momentum"
    """v ← μv + g; θ ← θ − αv."""
    NESTEROV = "nesterov"
    """v ← μv + g; θ ← θ − α(g + μv)."""
    RMSPROP = "rmsprop"
    """s ← ρs + (1−ρ)g²; θ ← θ − αg / (√s + ε)."""
    ADAM = "adam"
    """m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; θ ← θ − αₜm / (√v + εₜ): Kingma & Ba (2015), end of section 2."""
    FLUSH_SUBNORMALS = "flush_subnormals"
    """x ← 0 where |x| < the smallest normal number of the dtype, for what the rule before it has written to its own buffers."""


CLIP_EPSILON = 1e-6
"""Added to the norm before dividing by it, as PyTorch does."""


class Role(StrEnum):
    """What a buffer is for; memory is added up by role."""

    DATA = "data"
    """A batch: its rows' indexes, inputs and targets."""
    PARAMETER = "parameter"
    GRADIENT = "gradient"
    """Of the parameters."""
    OPTIMIZER = "optimizer"
    """What an update rule carries from step to step."""
    ACTIVATION = "activation"
    """z, a and their gradients."""
    RESULT = "result"
    """What the step reports: the loss, the number right."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """A named array. One that is part of another begins `offset` elements into it and takes no memory of its own."""

    name: str
    shape: tuple[int, ...]
    role: Role
    integer: bool = False
    """Class numbers and row indexes are 64-bit integers; everything else has the program's dtype."""
    part_of: str | None = None
    offset: int = 0

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: what it does, where it belongs, what it reads and writes, and the three sizes its cost depends on."""

    kind: Kind
    phase: Phase
    layer: int | None
    """The layer of weights it belongs to; none for the batch, the loss and what the whole network shares."""
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    batch: int
    inputs: int
    outputs: int
    function: str | None = None
    """The activation's name, for the two kinds that apply one."""
    learning: bool = True
    """Whether a loss hands back its gradient too."""

    @property
    def parameters(self) -> int:
        """(N + 1)·M: what an update of this layer touches."""
        return (self.inputs + 1) * self.outputs
