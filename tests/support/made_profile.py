"""Step profiles with the counts of the program and times that a test sets."""

from __future__ import annotations

from collections.abc import Mapping

from tuisim import RunConfig, count
from tuisim.backends.numpy.blas import Blas
from tuisim.features.profile.step_profile import OperationTime, StepProfile, working_set
from tuisim.measure.ceiling import Ceiling
from tuisim.measure.peaks import Peaks
from tuisim.program import Kind

PEAKS = Peaks("float32", 1, 100e9, 10e9, Blas("OpenBLAS 0.3.31", "SkylakeX", None))
"""Roofs that meet at 10 FLOP/byte."""
ROOFS = tuple(
    Ceiling(rate, spread, "NumPy copy and add", 1, "float32", level, holds)
    for level, rate, spread, holds in (
        ("L1", 320e9, 0.02, 32 << 10), ("L2", 160e9, 0.05, 1 << 20), ("L3", 80e9, 0.1, 32 << 20), ("DRAM", 10e9, 0.2, None),
    )
)  # fmt: skip
"""Memory ceilings of one thread."""
NET = RunConfig(layers=(64, 32, 10), loss="cross_entropy", epochs=10, threads=1)


def made_profile(
    config: RunConfig = NET,
    seconds: Mapping[Kind, float] | None = None,
    floors: Mapping[Kind, float] | None = None,
    outside: float = 1e-6,
    peaks: Peaks = PEAKS,
    roofs: tuple[Ceiling, ...] = (),
) -> StepProfile:
    """Return a profile in which an operation takes 3 µs, 1 µs of it the call, unless its kind is given; `outside` is added."""
    config, ledger = config.resolved(), count(config.resolved())
    operations = tuple(
        OperationTime(
            op, row, (seconds or {}).get(op.kind, 3e-6), 1e-7, (floors or {}).get(op.kind, 1e-6), working_set(ledger.program, op)
        )
        for op, row in zip(ledger.program.ops, ledger.rows, strict=True)
    )
    whole = sum(one.seconds for one in operations) + outside
    step_bytes = working_set(ledger.program, *ledger.program.ops)
    return StepProfile(config, ledger.batch, "OpenBLAS SkylakeX ×1", operations, whole, 2e-7, 300, peaks, step_bytes, roofs)


def one_of(found: StepProfile, kind: Kind, layer: int | None = None) -> OperationTime:
    return next(one for one in found.operations if one.op.kind is kind and layer in (None, one.op.layer))
