"""The memory check: every command that binds a network runs it before anything is allocated, and refuses in one line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tuisim import RunConfig
from tuisim.cli import main
from tuisim.engine import initializers, memory_check
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.engine.initial_state import initial_state
from tuisim.engine.network import Network
from tuisim.errors import MemoryNeeded
from tuisim.features.compare.bench import bench
from tuisim.features.compare.bench.cases import case
from tuisim.features.compare.entries import entries
from tuisim.features.compare.race.race import compare

BIG = RunConfig(layers=(2, 20_000, 20_000, 2), threads=1).resolved()
HUGE = "2-1000000000000000000-2"


@pytest.fixture
def small_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 GiB of memory, and no parameter is drawn and no network bound without the check."""
    monkeypatch.setattr(memory_check, "available", lambda: 2**30)
    monkeypatch.setattr(initializers, "parameters", lambda config: pytest.fail("parameters were drawn"))
    monkeypatch.setattr("tuisim.data.load", lambda config: pytest.fail("data were loaded"))
    monkeypatch.setattr("tuisim.backends.numpy.NumpyBackend.bind", lambda *_, **__: pytest.fail("a network was bound"))


@pytest.mark.usefixtures("small_machine")
def test_every_bind_is_preceded_by_the_memory_check():
    from tuisim.backends import get_backend

    askers = (
        lambda: Network(BIG, get_backend("numpy"), 32), lambda: BenchmarkCase(BIG, 32), lambda: initial_state(BIG),
        lambda: case(BIG), lambda: compare(BIG, entries("numpy@1,numpy@2")), lambda: compare(BIG, entries("scalar,numpy")),
    )  # fmt: skip
    for ask in askers:
        with pytest.raises(MemoryNeeded, match=r"1\.0 GiB are free; hidden layers of at most [\d,]+ would fit"):
            ask()


@pytest.mark.usefixtures("small_machine")
@pytest.mark.parametrize("arguments", [["run"], ["compare"], ["compare", "--backends", "numpy@1,numpy@2"], ["prove", "--force"]])
@pytest.mark.parametrize("layers", ["2-20000-20000-2", HUGE])
def test_commands_refuse_what_does_not_fit_in_one_line(capsys, arguments, layers):
    assert main([arguments[0], layers, *arguments[1:]]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "1.0 GiB are free" in err
    assert "Error" not in err


@pytest.mark.parametrize(
    "arguments", [["profile", HUGE], ["crossover", "--widths", HUGE[2:-2], "--batches", "1"], ["prove", HUGE]]
)
def test_a_network_that_would_take_years_is_refused_in_one_line(capsys, arguments):
    assert main(arguments) in (2, 5)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Error" not in err


def test_without_a_known_free_memory_more_than_any_machine_has_is_refused(monkeypatch):
    monkeypatch.setattr(memory_check, "available", lambda: None)
    memory_check.check(BIG)
    with pytest.raises(MemoryNeeded, match="no machine has as much"):
        memory_check.check(RunConfig(layers=(2, 10**18, 2)))
    memory_check.check(RunConfig(layers=(2, 10**18, 2), backend="cupy"))


def test_a_case_that_does_not_fit_leaves_the_others_of_the_benchmark(monkeypatch):
    monkeypatch.setattr(bench, "CASES", (RunConfig(layers=(2, 10**18, 2)),))
    rows = bench.bench().rows
    assert len(rows) > 2
    assert all("can still be counted" in row.reason for row in rows)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of memory for a process there")
def test_compare_refuses_within_the_memory_of_its_imports():
    code = (
        "import sys; from tuisim.engine import memory_check; memory_check.available = lambda: 2**30\n"
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30,) * 2)\n"
        "from tuisim.cli import main; sys.exit(main(['compare', '2-20000-20000-2']))"
    )
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert "1.0 GiB are free" in done.stderr
