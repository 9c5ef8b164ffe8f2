"""The step program: one training step as a list of operations over named buffers."""

from tuisim.program.builder import StepProgram, build
from tuisim.program.ops import CLIP_EPSILON, LOSS_KINDS, OPTIMIZER_STATE, SHARED_ROLES, Buffer, Kind, Op, Phase, Role
from tuisim.program.schedule import Schedule, schedule_of

__all__ = [
    "CLIP_EPSILON", "LOSS_KINDS", "OPTIMIZER_STATE", "SHARED_ROLES", "Buffer", "Kind", "Op", "Phase", "Role", "Schedule",
    "StepProgram", "build", "schedule_of",
]  # fmt: skip
