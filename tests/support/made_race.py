"""A race as it is measured and as it has ended, with times that a test can rely on."""

from __future__ import annotations

from tuisim.config import RunConfig
from tuisim.features.compare.race.race import Comparison, RaceRow, Standing, Unavailable

CONFIG = RunConfig(layers=(64, 32, 10))
FALLING = tuple(2.3 / (n + 1) for n in range(200))
STANDINGS = (
    Standing("scalar", 60, 2.0, 36_254.7, FALLING[:60]),
    Standing("numpy", 23_000, 2.0, 86.3, FALLING),
    Standing("numba", 0, 0.0, None, (), "not installed; pip install '.[numba]'"),
)
ROWS = (
    RaceRow("scalar", "scalar", 1, "float64", "plain Python ×1, float64", bind_seconds=1e-3, first_call_seconds=0.04,
        compile_seconds=None, transfer_seconds=None, launch_microseconds=None,
        microseconds_per_step=36_254.7, spread=2_740.0, rounds=61, examples_per_second=883.0, flops_per_second=9.1e6,
        utilization=1e-4, speedup=1.0, speedup_spread=0.0, max_parameter_difference=0.0, where="", same=True),
    RaceRow("numpy", "numpy", 1, "float32", "OpenBLAS ×1", bind_seconds=1e-3, first_call_seconds=6e-3, compile_seconds=None,
        transfer_seconds=None, launch_microseconds=None,
        microseconds_per_step=86.3, spread=21.0, rounds=61, examples_per_second=371e3, flops_per_second=3.8e9,
        utilization=0.054, speedup=415.0, speedup_spread=60.0, max_parameter_difference=1.7e-7, where="layer 1, W[0,0]",
        same=True),
)  # fmt: skip
GONE = (Unavailable("numba", "not installed", "pip install '.[numba]'"),)
ENDED = Comparison(CONFIG, ROWS, GONE, ("numpy@2: uses every core, so none is left for the app",), 9.0)
