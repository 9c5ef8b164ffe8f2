"""One command for everything that needs a GPU: `python -m tests.gpu figures.json`, in the project's folder.

It says what card there is, runs the CuPy backend's tests on it, measures the card's ceilings and the step by size, dtype
and batch beside PyTorch's on the same card, and writes one JSON. Its exit code is 1 where a test failed, 3 without a GPU.
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

from tests.gpu.rivals import RIVALS
from tests.gpu.timing import timed
from tuisim.backends import get_backend, probe
from tuisim.backends.cupy import CupyBackend
from tuisim.config import RunConfig
from tuisim.features.compare.bench.cases import Case, Make, Ours, case
from tuisim.features.machine.score.score import score
from tuisim.predict.calibrate import ProfileKey, calibrate
from tuisim.predict.predictor import Predictor
from tuisim.predict.profile_document import card_document
from tuisim.program import build
from tuisim.units import layers_text

ROOT = Path(__file__).resolve().parents[2]
_QUESTION = RunConfig(layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1)
CASES = (
    _QUESTION,
    RunConfig(layers=(64, 32, 10), batch_size=32),
    RunConfig(layers=(784, 128, 10), batch_size=32),
    RunConfig(layers=(784, 128, 10), batch_size=1024),
    RunConfig(layers=(784, 512, 512, 10), batch_size=128),
    RunConfig(layers=(784, 1024, 1024, 10), batch_size=256),
    RunConfig(layers=(784, 1024, 1024, 10), batch_size=1024),
    RunConfig(layers=(784, 4096, 4096, 10), batch_size=512),
    RunConfig(layers=(784, 4096, 4096, 10), batch_size=4096),
)
RATE = 0.01
REFERENCE = "tuisim cupy"
SLOW_PRODUCT = 2 * 10**9
"""B·N·M above which NumPy on one thread would hold the card up for nothing."""
TESTS_SECONDS = 240


def main(arguments: list[str]) -> int:
    """Everything, written to a file anew after each case, so that a time limit from outside loses nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=Path("gpu.json"))
    parser.add_argument("--seconds", type=float, default=480.0, help="cases not begun by then are left out")
    options = parser.parse_args(arguments)
    begun = perf_counter()
    found = probe("cupy")
    if not found.available:
        print(f"no GPU to check: {found.why_not}", file=sys.stderr)
        return 3
    document: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "card": found.device,
        "environment": _environment(),
        "tests": _tests(),
        "ceilings": {dtype: asdict(CupyBackend().ceilings(dtype)) for dtype in ("float32", "float64")},
        "steps": [],
    }
    _write(options.file, document)
    document["predictions"] = _predictions()
    _write(options.file, document)
    for config in (replace(config, dtype=dtype) for dtype in ("float32", "float64") for config in CASES):
        late = perf_counter() - begun > options.seconds
        document["steps"] += [_left_out(config)] if late else _step(config)
        document["seconds"] = perf_counter() - begun
        _write(options.file, document)
    _table(document["steps"])
    return 1 if document["tests"]["exit"] else 0


def _write(file: Path, document: dict[str, Any]) -> None:
    """Whole or not at all."""
    half = file.with_name(file.name + ".half")
    half.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    half.replace(file)


def _tests() -> dict[str, Any]:
    """The backend's own, in a process of theirs, where a test that finds no GPU fails and a warning is an error."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(ROOT), "-W", "error"]
    command += ["-p", "no:cacheprovider", "-k", "on_a_card", str(ROOT / "tests" / "test_cupy_backend.py")]
    environment = os.environ | {"TUISIM_GPU": "1", "PYTHONPATH": str(ROOT)}
    try:
        result = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment, timeout=TESTS_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        return {"exit": 124, "said": f"no end after {error.timeout:g} s", "output": str(error.stdout)[-3_000:]}
    print(result.stdout[-3_000:] + result.stderr[-1_000:], file=sys.stderr)
    said = result.stdout.strip().splitlines()[-1:]
    return {"exit": result.returncode, "said": said, "output": result.stdout[-3_000:] if result.returncode else ""}


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


def _field(config: RunConfig) -> dict[str, Make]:
    field: dict[str, Make] = {REFERENCE: partial(Ours, backend="cupy")}
    largest = build(config).largest_product
    if largest < SLOW_PRODUCT:
        field["tuisim numpy@1"] = partial(Ours, backend="numpy")
    return field | RIVALS if find_spec("torch") else field


def _left_out(config: RunConfig) -> dict[str, Any]:
    return {
        "case": f"{layers_text(config.layers)} b{config.batch_size}",
        "dtype": config.dtype,
        "subject": REFERENCE,
        "reason": "left out: no time was left",
    }


def _step(config: RunConfig) -> list[dict[str, Any]]:
    one = case(replace(config, threads=1, learning_rate=RATE))
    print(f"{one.name} {config.dtype}", file=sys.stderr, flush=True)
    with get_backend("numpy").threads(1):
        rows = timed(one, _field(config), REFERENCE)
    return [
        {"case": one.name, "dtype": config.dtype} | row | (_inside(one) if row["subject"] == REFERENCE else {}) for row in rows
    ]


def _predictions() -> dict[str, Any]:
    """The card's prices, and how far predictions by them are off on networks they have not seen."""
    outlook = Predictor(calibrate([ProfileKey("cupy", 1, "float32")]))
    return {"card": card_document(outlook.card), "score": score(outlook).to_dict()}


def _inside(one: Case) -> dict[str, Any]:
    """Of our own step: the device's time by phase, and what handing a step over takes of the host's."""
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
        took = row.get("microseconds_per_step")
        words = f"{took:12,.1f} µs  {row['times_the_reference'] or 0:6.2f} ×" if took else row.get("reason", "")
        print(f"{row['case']:24} {row['dtype']:8} {row['subject']:18} {words}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
