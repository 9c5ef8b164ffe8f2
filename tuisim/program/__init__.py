"""What one training step is: a list of operations over named buffers, and nothing else describes a step."""

from tuisim.program.builder import StepProgram, build
from tuisim.program.ops import CLIP_EPSILON, Buffer, Kind, Op, Phase, Role
from tuisim.program.schedule import Schedule, schedule_of

__all__ = [
    "CLIP_EPSILON", "Buffer", "Kind", "Op", "Phase", "Role", "Schedule", "StepProgram", "build", "schedule_of",
]  # fmt: skip
