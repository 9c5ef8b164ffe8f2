"""Test and measure the CuPy backend on a GPU: `python -m tests.gpu figures.json`, in the project's folder.

It runs the backend's tests on the GPU, measures the GPU's peak rates, times the step by size, dtype and batch next to
PyTorch's on the same GPU, and writes one JSON file. It needs NumPy and CuPy, and PyTorch for the comparison. Its exit code
is 1 if a test failed, 3 without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from tests.gpu.timing import timed
from tests.gpu.torch_steps import TORCH_STEPS
from tuisim.backends import get_backend, probe
from tuisim.backends.cupy import CupyBackend
from tuisim.config import RunConfig
from tuisim.features.compare.bench.cases import Case, Make, TuisimStep, case
from tuisim.features.machine.score.score import score
from tuisim.predict.calibrate import ProfileKey, calibrate
from tuisim.predict.predictor import Predictor
from tuisim.program import build
from tuisim.units import layers_text

ROOT = Path(__file__).resolve().parents[2]
CASES = (
    RunConfig(layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1),
    RunConfig(layers=(64, 32, 10), batch_size=32),
    RunConfig(layers=(784, 128, 10), batch_size=32),
    RunConfig(layers=(784, 128, 10), batch_size=1024),
    RunConfig(layers=(784, 512, 512, 10), batch_size=128),
    RunConfig(layers=(784, 1024, 1024, 10), batch_size=256),
    RunConfig(layers=(784, 1024, 1024, 10), batch_size=1024),
    RunConfig(layers=(784, 4096, 4096, 10), batch_size=512),
    RunConfig(layers=(784, 4096, 4096, 10), batch_size=4096),
)
LEARNING_RATE = 0.01
REFERENCE = "tuisim cupy"
MAX_NUMPY_PRODUCT = 2 * 10**9
"""B·N·M of the largest matrix product that NumPy is timed with, on one thread."""
TESTS_SECONDS = 240
"""Time limit of the tests."""


def main(arguments: list[str]) -> int:
    """Run all parts; write the file again after each case, so that a time limit from outside loses nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=Path("gpu.json"))
    parser.add_argument("--seconds", type=float, default=480.0, help="cases that have not started by then are left out")
    options = parser.parse_args(arguments)
    start = perf_counter()
    found = probe("cupy")
    if not found.available:
        print(f"no GPU: {found.why_not}", file=sys.stderr)
        return 3
    document: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "gpu": found.device,
        "environment": _environment(),
        "tests": _tests(),
        "peak_rates": {dtype: asdict(CupyBackend().peak_rates(dtype)) for dtype in ("float32", "float64")},
        "steps": [],
    }
    _write(options.file, document)
    document["predictions"] = _predictions()
    _write(options.file, document)
    for config in (replace(config, dtype=dtype) for dtype in ("float32", "float64") for config in CASES):
        late = perf_counter() - start > options.seconds
        document["steps"] += [_left_out(config)] if late else _step(config)
        document["seconds"] = perf_counter() - start
        _write(options.file, document)
    _table(document["steps"])
    return 1 if document["tests"]["exit"] else 0


def _write(file: Path, document: dict[str, Any]) -> None:
    """Write the whole file or nothing."""
    partial_file = file.with_name(file.name + ".partial")
    partial_file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    partial_file.replace(file)


def _tests() -> dict[str, Any]:
    """Run the backend's tests in a process of their own, where a test without a GPU fails and a warning is an error."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(ROOT), "-W", "error"]
    command += ["-p", "no:cacheprovider", "-p", "no:asyncio", "-k", "on_a_gpu", str(ROOT / "tests" / "backends" / "test_cupy.py")]
    environment = os.environ | {"TUISIM_GPU": "1", "PYTHONPATH": str(ROOT)}
    try:
        result = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment, timeout=TESTS_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        return {"exit": 124, "summary": f"not finished after {error.timeout:g} s", "output": str(error.stdout)[-3_000:]}
    print(result.stdout[-3_000:] + result.stderr[-1_000:], file=sys.stderr)
    summary = "".join(result.stdout.strip().splitlines()[-1:])
    return {"exit": result.returncode, "summary": summary, "output": result.stdout[-3_000:] if result.returncode else ""}


def _environment() -> dict[str, Any]:
    import cupy

    runtime = cupy.cuda.runtime
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cupy": cupy.__version__,
        "driver": runtime.driverGetVersion(),
        "cuda": runtime.runtimeGetVersion(),
        "torch": _torch_version(),
    }


def _torch_version() -> str | None:
    if not find_spec("torch"):
        return None
    import torch

    return str(torch.__version__)


def _subjects(config: RunConfig) -> dict[str, Make]:
    """Return what is timed, by name."""
    subjects: dict[str, Make] = {REFERENCE: partial(TuisimStep, backend="cupy")}
    if build(config).largest_product < MAX_NUMPY_PRODUCT:
        subjects["tuisim numpy@1"] = partial(TuisimStep, backend="numpy")
    return subjects | TORCH_STEPS if find_spec("torch") else subjects


def _left_out(config: RunConfig) -> dict[str, Any]:
    return {
        "case": f"{layers_text(config.layers)} b{config.batch_size}",
        "dtype": config.dtype,
        "subject": REFERENCE,
        "reason": "left out: the time limit was reached",
    }


def _step(config: RunConfig) -> list[dict[str, Any]]:
    one = case(replace(config, threads=1, learning_rate=LEARNING_RATE))
    print(f"{one.name} {config.dtype}", file=sys.stderr, flush=True)
    with get_backend("numpy").threads(1):
        rows = timed(one, _subjects(config), REFERENCE)
    return [
        {"case": one.name, "dtype": config.dtype} | row | (_inside(one) if row["subject"] == REFERENCE else {}) for row in rows
    ]


def _predictions() -> dict[str, Any]:
    """Return the GPU's machine profile, and the errors of its predictions for networks that it was not calibrated on."""
    predictor = Predictor(calibrate([ProfileKey("cupy", 1, "float32")]))
    return {"machine_profile": predictor.profile.document(), "score": score(predictor).to_dict()}


def _inside(one: Case) -> dict[str, Any]:
    """Return the GPU's time of one step of ours by phase, and the host's time to launch a step."""
    from tuisim.engine.network import Network

    backend = get_backend("cupy")
    network = Network(one.config, backend, one.config.batch_size)
    network.load(one.parameters)
    network.attach(one.X, one.y)
    rows = np.arange(one.config.batch_size)
    samples = [network.full.run_timed(rows)[1] for _ in range(31)][10:]
    before = backend.costs
    network.full.run(np.tile(rows, 50))
    return {
        "device_phases_microseconds": {phase: 1e6 * float(np.median([one[phase] for one in samples])) for phase in samples[0]},
        "launch_microseconds": (backend.costs - before).launch_microseconds,
    }


def _table(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        time = row.get("microseconds_per_step")
        text = f"{time:12,.1f} µs  {row['times_the_reference'] or 0:6.2f} ×" if time else row.get("reason", "")
        print(f"{row['case']:24} {row['dtype']:8} {row['subject']:18} {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
