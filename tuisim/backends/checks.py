"""What every bound step asks of the rows it is given, whatever computes it. It knows no backend."""

from __future__ import annotations

import numpy as np

from tuisim.backends.protocol import Array, Rows
from tuisim.program import StepProgram


def check_data(program: StepProgram, inputs: Array, targets: Array) -> None:
    """Raises ValueError or TypeError unless these are rows for the program's X and Y, as many of one as of the other."""
    x, y = program.buffers["X"], program.buffers["Y"]
    if inputs.shape[1:] != x.shape[1:] or targets.shape[1:] != y.shape[1:]:
        raise ValueError(f"rows of {inputs.shape[1:]} and {targets.shape[1:]} for buffers {x.shape} and {y.shape}")
    wanted = np.dtype(program.dtype), np.dtype("int64" if y.integer else program.dtype)
    if (inputs.dtype, targets.dtype) != wanted:
        raise TypeError(f"rows of {inputs.dtype} and {targets.dtype} for buffers of {wanted[0]} and {wanted[1]}")
    if len(inputs) != len(targets) or not len(inputs):
        raise ValueError(f"{len(inputs):,} rows of inputs and {len(targets):,} of targets")


def check_batches(program: StepProgram, rows: Rows, attached: bool) -> None:
    """Raises RuntimeError without data, ValueError unless `rows` are a whole number of batches."""
    if not attached:
        raise RuntimeError("attach the data before running steps")
    if len(rows) % program.batch:
        raise ValueError(f"{len(rows)} rows are no whole number of batches of {program.batch}")
