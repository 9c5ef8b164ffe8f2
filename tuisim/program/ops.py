"""The parts of a step program: kinds of operation, phases, and buffers.

Shapes are (batch, features) for activations and (inputs, outputs) for weights; layers count from 1, input side first.
Backends execute each kind of operation; accounting has a formula for each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """The phases of a step, in the order they run."""

    DATA = "data"
    FORWARD = "forward"
    LOSS = "loss"
    BACKWARD = "backward"
    UPDATE = "update"


class Kind(StrEnum):
    """The kinds of operation. B is the batch size, N the inputs and M the outputs of the layer; t are targets."""

    GATHER = "gather"
    """X, Y = the batch's rows of the dataset, by index."""
    DENSE = "dense"
    """z = a·W + b."""
    ACTIVATION = "activation"
    """a = f(z), elementwise."""
    MSE = "mse"
    """L = Σ(a − t)² / (B·M); with learning also ∂L/∂a = 2(a − t) / (B·M)."""
    CROSS_ENTROPY = "cross_entropy"
    """L = Σ (log Σ exp z − z_t) / B, softmax inside; with learning also ∂L/∂z = (softmax z − onehot t) / B."""
    BINARY_CROSS_ENTROPY = "binary_cross_entropy"
    """L = Σ (log(1 + exp z) − z·t) / (B·M) on logits; with learning also ∂L/∂z = (σ(z) − t) / (B·M)."""
    ACTIVATION_GRADIENT = "activation_gradient"
    """∂L/∂z = ∂L/∂a ⊙ f′(z)."""
    WEIGHT_GRADIENT = "weight_gradient"
    """∂L/∂W = aᵀ·∂L/∂z, summed over the batch."""
    BIAS_GRADIENT = "bias_gradient"
    """∂L/∂b = ∂L/∂z summed over the batch."""
    INPUT_GRADIENT = "input_gradient"
    """∂L/∂a of the previous layer = ∂L/∂z·Wᵀ."""
    GRADIENT_SQUARES = "gradient_squares"
    """s ← s + Σg², layer by layer: the squared norm of the whole gradient."""
    CLIP_FACTOR = "clip_factor"
    """c = min(1, clip_norm / (√s + 10⁻⁶)): Pascanu, Mikolov & Bengio (2013), with PyTorch's epsilon."""
    CLIP = "clip"
    """g ← c·g, written to a separate buffer, so that the gradient of the loss can still be read."""
    WEIGHT_DECAY = "weight_decay"
    """g ← g + λθ, written to a separate buffer, or to that of the clipped gradient."""
    SCHEDULED_RATE = "scheduled_rate"
    """α = α₀·fₜ, with fₜ the schedule's factor for this step."""
    DECAY_FACTOR = "decay_factor"
    """1 − αλ of AdamW, recomputed in each step if the learning rate follows a schedule."""
    BIAS_CORRECTION = "bias_correction"
    """Adam's two scalars of a step, α√(1−β₂ᵗ)/(1−β₁ᵗ) and ε√(1−β₂ᵗ), from running products β₁ᵗ and β₂ᵗ."""
    DECOUPLED_DECAY = "decoupled_decay"
    """θ ← θ·(1 − αλ) (AdamW)."""
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
    """x ← 0 where |x| < the smallest normal number of the dtype, in the optimizer state that the update has just written."""


LOSS_KINDS = frozenset({Kind.MSE, Kind.CROSS_ENTROPY, Kind.BINARY_CROSS_ENTROPY})

OPTIMIZER_STATE: dict[str, tuple[str, ...]] = {
    "sgd": (),
    "momentum": ("velocity",),
    "nesterov": ("velocity",),
    "rmsprop": ("square_average",),
    "adam": ("first_moment", "second_moment"),
    "adamw": ("first_moment", "second_moment"),
}
"""The state buffers of each optimizer, each as long as the parameters."""

CLIP_EPSILON = 1e-6
"""Added to the norm before dividing by it, as PyTorch does."""

LEAKY_SLOPE = 0.01
"""Maas et al. (2013)."""
GELU_SCALE, GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715
"""gelu(z) = z·σ(2u) with u = GELU_SCALE·(z + GELU_CUBIC·z³): the tanh form of Hendrycks & Gimpel (2016)."""


class Role(StrEnum):
    """The purpose of a buffer; memory is added up by role."""

    DATA = "data"
    """A batch: row indexes, inputs and targets."""
    PARAMETER = "parameter"
    GRADIENT = "gradient"
    OPTIMIZER = "optimizer"
    ACTIVATION = "activation"
    """z, a and their gradients."""
    RESULT = "result"
    """Scalar results of the step: the loss, the squared gradient norm, the clip factor."""


SHARED_ROLES = (Role.PARAMETER, Role.GRADIENT, Role.OPTIMIZER)
"""Roles of the buffers that all steps bound to one network share."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """A named array. If it is `part_of` another buffer it begins `offset` elements into it and takes no memory of its own."""

    name: str
    shape: tuple[int, ...]
    role: Role
    integer: bool = False
    """Class numbers and row indexes are 64-bit integers; everything else has the program's dtype."""
    part_of: str | None = None
    offset: int = 0

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: its kind, its place in the network, the buffers it reads and writes, and the sizes its cost depends on."""

    kind: Kind
    phase: Phase
    layer: int | None
    """The layer, from 1; None for batch loading, the loss and operations on the whole network."""
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    batch: int
    inputs: int
    outputs: int
    function: str | None = None
    """The name of the activation, for the two kinds that apply one."""
    learning: bool = True
    """True in a training step, where the loss also computes its gradient."""

    @property
    def parameters(self) -> int:
        """(N + 1)·M, the parameters of the layer."""
        return (self.inputs + 1) * self.outputs
