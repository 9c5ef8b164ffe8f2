"""A step too large for compiled loops, done by the NumPy backend's calls into BLAS instead, and saying so.

It computes nothing itself. A training step shares its arrays with the others of its network; an evaluation beside a
compiled training step takes a copy of the parameters each time.
"""

from __future__ import annotations

from tuisim.backends.numba.bound import CompiledStep
from tuisim.backends.numpy import NumpyStep
from tuisim.backends.protocol import Array, PhaseSeconds, Rows
from tuisim.program import Role, StepProgram


class BlasStep:
    """`program` ready to run; see BoundStep for what each method promises."""

    note: str | None = "the products of this size are BLAS's, through NumPy: compiled loops would take longer"

    def __init__(self, program: StepProgram, share: BlasStep | CompiledStep | None = None) -> None:
        self.program = program
        self._parameters = share if isinstance(share, CompiledStep) else None
        """The step whose parameters an evaluation copies."""
        if self._parameters is not None and program.learning:
            raise TypeError("a training step on BLAS cannot share a compiled step's arrays")
        self._step: NumpyStep = NumpyStep(program, share._step if isinstance(share, BlasStep) else None)

    def attach(self, inputs: Array, targets: Array) -> None:
        self._step.attach(inputs, targets)

    def run(self, rows: Rows) -> list[float]:
        return self._step.run(rows)

    def run_timed(self, rows: Rows) -> tuple[float, PhaseSeconds]:
        return self._step.run_timed(rows)

    def run_by_operation(self, rows: Rows) -> tuple[float, list[float]]:
        return self._step.run_by_operation(rows)

    def evaluate(self, rows: Rows) -> tuple[float, int | None]:
        if self._parameters is not None:
            self._step.write("parameters", self._parameters.read("parameters"))
        return self._step.evaluate(rows)

    def read(self, name: str) -> Array:
        return self._owner(name).read(name)

    def write(self, name: str, values: Array) -> None:
        self._owner(name).write(name, values)

    def set_learning_rate(self, rate: float) -> None:
        (self._parameters or self._step).set_learning_rate(rate)

    def _owner(self, name: str) -> NumpyStep | CompiledStep:
        """Whose the buffer is."""
        shared = self._parameters is not None and self.program.buffers[name].role is Role.PARAMETER
        return self._parameters if shared and self._parameters is not None else self._step
