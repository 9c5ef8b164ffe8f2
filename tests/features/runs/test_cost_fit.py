"""The cost fit against data with known coefficients, what it leaves unknown, its notes, and the command `runs`."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.support.past_runs import RUN, A, B, C, noisy, run, several
from tests.support.provenance import numbers, unmarked
from tuisim.features.runs.command import runs as command
from tuisim.features.runs.cost_fit import CostFit, cost_fits, fit
from tuisim.features.runs.view import RunsState, fit_lines, no_runs, run_lines
from tuisim.predict.leastsquares import condition, solve
from tuisim.predict.machine import called, this_machine
from tuisim.store.runs import FILE, Run, append
from tuisim.terminal.lines import Frame, text

# ── least squares ──


def best_by_search(matrix: np.ndarray, target: np.ndarray) -> float:
    """The least that projected gradient descent comes to, which knows nothing of subsets."""
    scaled = matrix / np.linalg.norm(matrix, axis=0)
    x = np.zeros(matrix.shape[1])
    rate = 1 / np.linalg.norm(scaled, 2) ** 2
    for _ in range(20_000):
        x = np.maximum(x - rate * scaled.T @ (scaled @ x - target), 0)
    return float(np.linalg.norm(scaled @ x - target))


@pytest.mark.parametrize("seed", range(12))
def test_no_search_finds_a_smaller_error_and_no_coefficient_is_negative(seed):
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(9, 3)), rng.normal(size=9)
    found, _ = solve(matrix, target)
    assert (found >= 0).all()
    assert np.linalg.norm(matrix @ found - target) <= best_by_search(matrix, target) + 1e-9


def test_errors_are_the_textbooks_if_no_coefficient_is_zero():
    """A line through four points: the covariance is s² (XᵀX)⁻¹."""
    x = np.array([1.0, 2.0, 3.0, 4.0])
    matrix, target = np.column_stack([np.ones(4), x]), 1.5 + 2 * x + np.array([0.1, -0.1, -0.1, 0.1])
    found, errors = solve(matrix, target)
    rest = target - matrix @ found
    covariance = rest @ rest / 2 * np.linalg.inv(matrix.T @ matrix)
    assert errors == pytest.approx(np.sqrt(np.diag(covariance)))
    assert np.isnan(solve(matrix[:2], target[:2])[1]).all(), "two points and two unknowns leave nothing to judge by"


def test_the_condition_is_one_for_orthogonal_and_infinite_for_equal_columns():
    assert condition(np.eye(3)[:, :2] * [1.0, 1e9]) == pytest.approx(1)
    assert condition(np.ones((5, 2))) > 1e8
    assert condition(np.ones((1, 2))) == float("inf")


# ── the cost fit ──


def values(found: CostFit) -> list[float | None]:
    return [one.seconds for one in found.coefficients]


def test_exact_coefficients_are_found():
    found = fit(several())
    assert values(found) == pytest.approx([A, B, C], rel=1e-6)
    assert found.median_error == pytest.approx(0, abs=1e-9)
    for row in found.rows:
        assert row.ratio == pytest.approx(1)
        assert row.parts == pytest.approx((A, B * row.run.operations_per_step, C * row.run.bytes_per_step))
    assert found.operation.per_second == pytest.approx(1 / B)


def test_each_run_counts_by_its_ratio_not_by_its_seconds():
    """The largest run is off by 20 %, thousands of times the time of the smallest ones, which are still fitted well."""
    runs = several()
    largest = max(runs, key=lambda one: one.seconds)
    runs[runs.index(largest)] = replace(largest, seconds=1.2 * largest.seconds)
    found = fit(runs)
    assert found.step.seconds == pytest.approx(A, rel=0.05)
    assert found.worst is not None
    assert found.worst.run.layers == largest.layers


def test_with_noise_the_true_values_are_within_a_few_standard_errors():
    found = fit(noisy(0.1))
    for truth, one in zip((A, B, C), found.coefficients, strict=True):
        assert one.seconds is not None
        assert one.error is not None
        assert abs(one.seconds - truth) < 4 * one.error
    assert 0 < (found.median_error or 0) < 0.1


def test_residuals_and_their_median_are_those_of_the_runs():
    runs = several()
    runs[5] = replace(runs[5], seconds=2 * runs[5].seconds)
    found = fit(runs)
    assert found.worst is found.rows[5]
    fitted = [np.dot([1, one.operations_per_step, one.bytes_per_step], values(found)) for one in runs]
    ratios = [one.seconds_per_step / seconds for one, seconds in zip(runs, fitted, strict=True)]
    assert [row.ratio for row in found.rows] == pytest.approx(ratios)
    assert found.median_error == pytest.approx(float(np.median([abs(ratio - 1) for ratio in ratios])))


def test_an_indistinguishable_coefficient_is_zero_and_never_negative():
    found = fit([replace(one, seconds=100 * B * one.operations_per_step) for one in several()])
    assert values(found) == pytest.approx([0, B, 0])
    assert "the overhead per step is not distinguishable from 0" in found.notes()
    slower_when_smaller = [replace(one, seconds=1 / one.operations_per_step) for one in several()]
    assert min(value for value in values(fit(slower_when_smaller)) if value is not None) >= 0


# ── unknown coefficients ──


def test_runs_of_one_size_cannot_be_fitted():
    for runs in ([several()[0]], [several()[0]] * 5):
        found = fit(runs)
        assert values(found) == [None] * 3
        assert [row.ratio for row in found.rows] == [None] * len(runs)
        assert found.median_error is None
        assert found.worst is None
        assert "of one size cannot be fitted" in found.notes()[0]


def test_two_sizes_leave_the_byte_unknown_and_the_fit_is_exact():
    found = fit([several()[0], several()[-1]])
    assert found.byte.seconds is None
    assert found.step.seconds is not None
    assert found.operation.error is None
    said = " ".join(found.notes())
    assert "the time per byte cannot be separated from the other terms" in said
    assert "not meaningful yet" in said


def test_bytes_proportional_to_operations_are_not_separated():
    found = fit([run(n, 4 * n) for n in (10**4, 10**5, 10**6, 10**7, 10**8)])
    assert found.step.seconds == pytest.approx(A)
    assert found.operation.seconds == pytest.approx(B + 4 * C), "which has both"
    assert found.byte.seconds is None
    assert "train other batch sizes" in " ".join(found.notes())
    assert all(row.parts[2] is None and row.ratio == pytest.approx(1) for row in found.rows)


def test_constant_operations_are_not_separated_from_the_step():
    found = fit([run(10**6, bytes_) for bytes_ in (10**5, 10**6, 10**7, 10**8)])
    assert found.operation.seconds is None
    assert found.byte.seconds == pytest.approx(C)


def test_runs_that_are_too_alike_have_no_fit():
    found = fit([run(10**6 + n, 10**5 + n) for n in range(5)])
    assert values(found) == [None] * 3
    assert "too alike" in found.notes()[0]


def test_a_clock_that_jumped_leaves_a_fit_of_finite_numbers():
    found = fit([*several(), run(10**6, 10**5, 1e18), run(10**6, 10**5, 1e-300), run(10**30, 10**30, 1e-9)])
    assert len(found.rows) == len(several()) + 2, "no step takes 1e-300 s"
    json.dumps(found.to_dict(), allow_nan=False)
    assert all(found.notes())


def test_runs_are_of_one_backend_and_at_least_one():
    for wrong in ([], [several()[0], replace(several()[1], threads=2)], [RUN, replace(RUN, machine="another")]):
        with pytest.raises(ValueError, match="one backend on one machine"):
            fit(wrong)


def test_there_is_a_fit_for_each_backend_thread_count_and_machine():
    runs = [replace(RUN, machine=machine, backend=backend, threads=threads)
            for machine, backend, threads in product(("b", "a"), ("numpy", "numba"), (2, 1))]  # fmt: skip
    found = cost_fits([*runs, runs[0]])
    assert [(one.machine, one.backend) for one in found] == [
        (machine, name) for machine in "ab" for name in ("numba@1", "numba@2", "numpy@1", "numpy@2")
    ]
    assert sum(len(one.rows) for one in found) == 9
    assert cost_fits([]) == ()


# ── in words, on the command line ──


def test_the_fit_in_a_table_and_in_notes():
    found = fit(several())
    heading, row = (text(line) for line in fit_lines(RunsState((found,)), Frame(140, 2)))
    titles = "backend machine runs overhead per step per operation per byte median error"
    assert " ".join(heading.split()) == titles
    assert " ".join(row.split()) == "numpy@1 machine epyc-1a2b 12 21.0 µs 23.0 ps 12.0 ps 0.0 %"
    rates, break_even, quality = found.notes()
    assert rates == "operations at 43.5 G/s, bytes at 83.3 GB/s"
    assert break_even.startswith("the overhead per step takes as long as 913 k operations or moving 1.75 MB; much smaller")
    assert quality.startswith("12 runs of 12 sizes: median error 0.0 %")


def test_the_document_has_the_provenance_of_each_number(data, capsys):
    keep([*noisy(0.1), replace(RUN, backend="scalar")])
    command(json_=True)
    document = json.loads(capsys.readouterr().out)
    assert len(set(numbers(document))) > 15
    assert unmarked(document) == set()
    assert document["marks"]["fits[].coefficients"] == "measured"
    assert document["marks"]["fits[].rows[].fit_seconds_per_step"] == "projected"
    numpy, scalar = document["fits"]
    assert numpy["coefficients"]["operation"]["seconds"] == pytest.approx(B, rel=0.5)
    assert len(numpy["rows"]) == numpy["runs"] == 12
    assert scalar["coefficients"]["step"] == {"seconds": None, "error": None}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUISIM_HOME", str(tmp_path))
    return tmp_path


def keep(runs: Sequence[Run]) -> None:
    for one in runs:
        append(one)


def test_without_runs_it_says_how_to_make_some(data, capsys):
    assert command() == 0
    assert capsys.readouterr().out.strip() == no_runs()
    assert command(json_=True) == 0
    assert json.loads(capsys.readouterr().out)["fits"] == []


def test_the_list_has_the_newest_runs_and_their_ratios_to_the_fit(data, capsys):
    keep(several() * 3)
    with closing(sqlite3.connect(data / FILE)) as database, database:
        database.execute("INSERT INTO runs (machine, run) VALUES ('machine', 'broken')")
    assert command() == 0
    shown = capsys.readouterr().out
    assert "numpy@1 on machine epyc-1a2b\n" in shown
    assert "21.0 µs   23.0 ps   12.0 ps" in re.sub(" {3,}", "   ", shown)
    assert shown.count("1.00") >= 20
    assert "the newest 20 of 36 runs" in shown
    assert "note: 1 stored run left out" in shown
    assert "1024-1024-1024" in shown


def test_one_backend_is_selected_with_or_without_its_threads(data, capsys):
    keep([RUN, replace(RUN, threads=2), replace(RUN, backend="scalar", machine="\x1b[2Jvm")])
    for backend, expected in (("numpy", ["numpy@1", "numpy@2"]), ("numpy@2", ["numpy@2"]), ("scalar", ["scalar@1"])):
        command(backend=backend, json_=True)
        assert [fit_["backend"] for fit_ in json.loads(capsys.readouterr().out)["fits"]] == expected
    command()
    assert "\x1b" not in capsys.readouterr().out
    assert command(backend="numba") == 0
    assert "no runs on numba yet; there are some on numpy@1, numpy@2, scalar@1" in capsys.readouterr().out


def test_an_unknown_backend_is_a_mistake(data):
    with pytest.raises(Exception, match="did you mean numpy") as caught:
        command(backend="nunpy")
    assert getattr(caught.value, "exit_code", None) == 2


def test_the_fit_needs_numpy_and_the_standard_library_alone():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"textual", "rich", "cyclopts", "psutil", "threadpoolctl", "platformdirs"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from tuisim.features.runs.cost_fit import cost_fits
from tuisim.store.runs import read
assert cost_fits(read().runs) == ()
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3], timeout=60,
                   env={**os.environ, "TUISIM_HOME": ""})  # fmt: skip


def test_this_machine_is_named_this_machine():
    assert called(this_machine().id) == "this machine"
    assert called("1a2b\x1b[2J") == "machine 1a2b\\x1b[2J"


def test_a_coefficient_of_zero_leaves_the_fit_inexact():
    found = fit([run(10, 10, 5e-5), run(2_000, 100, 4e-5), run(4_000, 40_000, 1e-5)])
    assert "the fit is exact" not in " ".join(found.notes())
    assert "median error" in " ".join(found.notes())


def test_throttled_runs_are_listed_and_not_fitted():
    slow = replace(several()[0], seconds=1e3, throttled=True, when="2026-02-03T04:05:07+00:00")
    clean, (found,) = fit(several()), cost_fits([*several(), slow])
    assert found.coefficients == clean.coefficients
    assert len(found.rows) == len(several())
    assert found.listed[-1].run is slow
    document = found.to_dict()
    assert [row["throttled"] for row in document["rows"]].count(True) == 1
    lines = [text(line) for line in run_lines(RunsState((found,)), Frame(140, 40, zoomed=True))]
    assert "throttled" in lines[1]
    (alone,) = cost_fits([slow])
    assert alone.notes() == ["throttled runs are not fitted: train at full speed"]
    assert [text(line) for line in fit_lines(RunsState((alone,)), Frame(80, 10))]
