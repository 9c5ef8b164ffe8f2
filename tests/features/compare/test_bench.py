"""The benchmark: its implementations make the same steps; one that does not, or fails, is a row with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuisim import RunConfig, Trainer
from tuisim.cli import main
from tuisim.errors import ExitCode
from tuisim.features.compare.bench import bench as bench_module
from tuisim.features.compare.bench import peers
from tuisim.features.compare.bench.bench import BenchRow, bench
from tuisim.features.compare.bench.cases import Case, MatrixProducts, NaiveStep, TuisimStep, case

CONFIGS = {
    "cross_entropy": RunConfig(layers=(6, 5, 4, 3), batch_size=4, learning_rate=0.05),
    "mse": RunConfig(layers=(6, 5, 4, 3), batch_size=4, loss="mse", learning_rate=0.05),
    "relu at the end": RunConfig(layers=(6, 5, 3), batch_size=1, loss="mse", output_activation="relu"),
}
PEERS = {
    "torch": ("PyTorch eager",),
    "jax": ("JAX jit", "JAX lax.scan"),
    "sklearn": ("scikit-learn",),
}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "CASES", (CONFIGS["cross_entropy"],))
    monkeypatch.setattr(bench_module, "ROUND_SECONDS", 1e-4)
    monkeypatch.setattr(bench_module, "MAX_ROUNDS", 5)
    monkeypatch.setattr(peers, "installed", dict)


def wrapped(one: Case, steps: int) -> np.ndarray[Any, Any]:
    """The parameters after so many steps, by the trainer, over the case's rows round and round."""
    rows = np.arange(steps * one.config.batch_size) % len(one.X)
    plain = {"shuffle": False, "validation": 0.0, "early_stopping": "no", "epochs": 1, "examples": len(rows)}
    config = RunConfig(**(one.config.to_dict() | plain))
    trainer = Trainer(config, data=(one.X[rows], one.y[rows]), parameters=one.parameters)
    trainer.run()
    return np.concatenate([part.ravel() for pair in trainer.parameters() for part in pair])


@pytest.mark.parametrize("name", CONFIGS)
def test_implementations_make_the_steps_of_a_run(name, monkeypatch):
    monkeypatch.setattr("tuisim.features.compare.bench.cases.MAX_BATCHES", 5)
    one = case(CONFIGS[name])
    assert len(one.X) == 5 * one.config.batch_size
    expected = wrapped(one, 13)
    for subject in (TuisimStep(one, "numpy"), TuisimStep(one, "scalar"), NaiveStep(one)):
        subject.steps(2)
        subject.steps(11)
        np.testing.assert_allclose(subject.read(), expected, rtol=2e-4, atol=2e-6)


_CHECK = """
import sys
import numpy as np
from tests.features.compare.test_bench import CONFIGS, wrapped
from tuisim.features.compare.bench import peers
from tuisim.features.compare.bench.cases import case

for name, config in CONFIGS.items():
    one = case(config)
    for subject_name in sys.argv[1:]:
        try:
            subject = peers.installed()[subject_name](one)
        except peers.RunError as error:
            print(subject_name, name, error)
            continue
        subject.steps(6)
        np.testing.assert_allclose(subject.read(), wrapped(one, 6), rtol=2e-4, atol=2e-6)
        print(subject_name, name, "the same")
"""


@pytest.mark.parametrize("package", PEERS)
def test_peers_make_the_same_steps(package):
    """In a process of their own: some of them start threads that a later fork in this one would not outlive."""
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    command = [sys.executable, "-c", _CHECK, *PEERS[package]]
    found = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert len(lines) == len(CONFIGS) * len(PEERS[package])
    refused = [line for line in lines if not line.endswith("the same")]
    expected = ["scikit-learn relu at the end it has no activation after the last layer, and one for all hidden ones"]
    assert refused == (expected if package == "sklearn" else [])


def test_matrix_products_have_no_parameters():
    subject = MatrixProducts(case(CONFIGS["mse"]))
    subject.steps(3)
    assert subject.read() is None


def rows() -> dict[str, BenchRow]:
    return {row.subject: row for row in bench().rows}


def test_every_implementation_is_timed_relative_to_the_numpy_step():
    found = rows()
    assert next(iter(found)) == "tuisim numpy"
    assert found["tuisim numpy"].ratio == 1.0
    for name in ("tuisim numpy", "tuisim scalar", "plain numpy", "matrix products"):
        assert found[name].microseconds_per_step > 0
        assert found[name].rounds == 5
        assert found[name].reason == ""
    assert found["tuisim scalar"].ratio > 0
    assert found["plain numpy"].relative_parameter_difference < 1e-4
    assert found["matrix products"].relative_parameter_difference is None


def test_wrong_parameters_are_not_timed(monkeypatch):
    class Wrong(NaiveStep):
        def read(self) -> Any:
            return super().read() * 1.01

    monkeypatch.setattr(bench_module, "NaiveStep", Wrong)
    found = rows()["plain numpy"]
    assert found.microseconds_per_step is None
    assert "parameters differ by" in found.reason


def test_failed_and_too_slow_implementations_have_a_reason(monkeypatch):
    def broken(one: Case) -> Any:
        raise ImportError("libfast.so.1 is missing")

    monkeypatch.setattr(peers, "installed", lambda: {"a peer": broken})
    monkeypatch.setattr(bench_module, "MAX_STEP_SECONDS", 1e-9)
    found = rows()
    assert found["a peer"].reason == "libfast.so.1 is missing"
    assert found["tuisim scalar"].reason.startswith("left out: a step would take")
    assert found["tuisim numpy"].rounds == 5


def test_without_the_reference_there_are_no_ratios(monkeypatch):
    real = bench_module._in_time

    def in_time(backend: str, kind: str, ledger: Any) -> None:
        if backend == "numpy":
            raise bench_module.RunError("left out: a step would take 9 s or more")
        real(backend, kind, ledger)

    monkeypatch.setattr(bench_module, "_in_time", in_time)
    found = rows()
    assert found["tuisim numpy"].reason
    assert found["matrix products"].microseconds_per_step > 0
    assert found["matrix products"].ratio is None


def test_the_command_prints_a_table_and_the_reasons(capsys, monkeypatch):
    monkeypatch.setattr(bench_module, "MAX_STEP_SECONDS", 1e-9)
    assert main(["bench"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert "measuring 6-5-4-3 b4" in err
    assert "matrix products" in out
    assert "6-5-4-3 b4, tuisim scalar: left out" in out
    assert main(["bench", "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["rows"][0]["subject"] == "tuisim numpy"
