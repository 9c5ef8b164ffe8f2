"""What one training step is: a list of operations over named buffers, and nothing else describes a step."""

from tuisim.program.builder import StepProgram, build
from tuisim.program.ops import HYPERPARAMETERS, Buffer, Kind, Op, Phase, Role

__all__ = ["HYPERPARAMETERS", "Buffer", "Kind", "Op", "Phase", "Role", "StepProgram", "build"]
