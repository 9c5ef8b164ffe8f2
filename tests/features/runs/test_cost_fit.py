"""The cost law against data of which it is known, what it refuses to know, and how it is told."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_provenance import numbers, unmarked
from tuisim.features.runs.command import law as law_command
from tuisim.features.runs.cost_fit import Law, fit, laws
from tuisim.features.runs.cost_fit_text import formula, no_runs, sentences
from tuisim.predict.leastsquares import condition, solve
from tuisim.predict.machine import called, this_machine
from tuisim.store.runs import Run, append

A, B, C = 21e-6, 23e-12, 12e-12
"""Seconds of a step, an operation and a byte."""
RUN = Run(
    when="2026-02-03T04:05:06+00:00", machine="epyc-1a2b", backend="numpy", threads=1, layers=(64, 32, 10), batch=32,
    dtype="float32", optimizer="sgd", loss="cross_entropy", steps=1_000, examples=32_000, operations_per_step=331_000,
    bytes_per_step=140_000, seconds=0.056, wall_seconds=0.08, predicted_seconds=None, predicted_wall_seconds=None,
    ended="completed",
)  # fmt: skip


def run(operations: int, bytes_: int, seconds: float | None = None, **changes: Any) -> Run:
    """One of 100 steps that took what A, B and C say, or `seconds` each."""
    took = A + B * operations + C * bytes_ if seconds is None else seconds
    return replace(RUN, operations_per_step=operations, bytes_per_step=bytes_, steps=100, seconds=100 * took, **changes)


def several() -> list[Run]:
    """Of widths and batches as a class tries them: from 20 µs to a tenth of a second."""
    return [
        run(6 * width * width * batch * 2, 4 * (7 * width * width + 9 * width * batch), layers=(width,) * 3, batch=batch)
        for width, batch in product((8, 64, 256, 1_024), (1, 16, 256))
    ]


def noisy(share: float) -> list[Run]:
    chance = random.Random(7)
    return [replace(one, seconds=one.seconds * (1 + chance.uniform(-share, share))) for one in several()]


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
def test_no_search_finds_less_and_nothing_is_below_zero(seed):
    chance = np.random.default_rng(seed)
    matrix, target = chance.normal(size=(9, 3)), chance.normal(size=9)
    found, _ = solve(matrix, target)
    assert (found >= 0).all()
    assert np.linalg.norm(matrix @ found - target) <= best_by_search(matrix, target) + 1e-9


def test_errors_are_those_of_the_textbook_where_nothing_is_held_at_zero():
    """Of a line through four points: the covariance is s² (XᵀX)⁻¹."""
    x = np.array([1.0, 2.0, 3.0, 4.0])
    matrix, target = np.column_stack([np.ones(4), x]), 1.5 + 2 * x + np.array([0.1, -0.1, -0.1, 0.1])
    found, errors = solve(matrix, target)
    rest = target - matrix @ found
    covariance = rest @ rest / 2 * np.linalg.inv(matrix.T @ matrix)
    assert errors == pytest.approx(np.sqrt(np.diag(covariance)))
    assert np.isnan(solve(matrix[:2], target[:2])[1]).all(), "two points and two unknowns leave nothing to judge by"


def test_the_condition_is_one_for_right_angles_and_infinite_for_the_same_column_twice():
    assert condition(np.eye(3)[:, :2] * [1.0, 1e9]) == pytest.approx(1)
    assert condition(np.ones((5, 2))) > 1e8
    assert condition(np.ones((1, 2))) == float("inf")


# ── the law ──


def values(law: Law) -> list[float | None]:
    return [one.seconds for one in law.coefficients]


def test_a_law_that_holds_is_found():
    law = fit(several())
    assert values(law) == pytest.approx([A, B, C], rel=1e-6)
    assert law.median_error == pytest.approx(0, abs=1e-9)
    assert law.seconds_per_step(10**6, 10**5) == pytest.approx(A + B * 10**6 + C * 10**5)
    for row in law.rows:
        assert row.ratio == pytest.approx(1)
        assert row.parts == pytest.approx((A, B * row.run.operations_per_step, C * row.run.bytes_per_step))
    assert law.operation.per_second == pytest.approx(1 / B)


def test_each_run_counts_by_its_ratio_not_by_its_seconds():
    """The largest is off by 20 %, which is thousands of times the smallest: the small ones are met as well as it is."""
    runs = several()
    largest = max(runs, key=lambda one: one.seconds)
    runs[runs.index(largest)] = replace(largest, seconds=1.2 * largest.seconds)
    law = fit(runs)
    assert law.step.seconds == pytest.approx(A, rel=0.05)
    assert law.worst is not None
    assert law.worst.run.layers == largest.layers


def test_with_noise_the_truth_is_within_a_few_errors_and_the_errors_are_told():
    law = fit(noisy(0.1))
    for truth, one in zip((A, B, C), law.coefficients, strict=True):
        assert one.seconds is not None
        assert one.error is not None
        assert abs(one.seconds - truth) < 4 * one.error
    assert 0 < (law.median_error or 0) < 0.1


def test_residuals_and_their_median_are_those_of_the_runs():
    runs = several()
    runs[5] = replace(runs[5], seconds=2 * runs[5].seconds)
    law = fit(runs)
    assert law.worst is law.rows[5]
    ratios = [one.seconds_per_step / (law.seconds_per_step(one.operations_per_step, one.bytes_per_step) or 0) for one in runs]
    assert [row.ratio for row in law.rows] == pytest.approx(ratios)
    assert law.median_error == pytest.approx(float(np.median([abs(ratio - 1) for ratio in ratios])))


def test_what_shows_nothing_is_zero_and_never_below():
    law = fit([replace(one, seconds=100 * B * one.operations_per_step) for one in several()])
    assert values(law) == pytest.approx([0, B, 0])
    assert "nothing that shows" in sentences(law)[0]
    slower_when_smaller = [replace(one, seconds=1 / one.operations_per_step) for one in several()]
    assert min(value for value in values(fit(slower_when_smaller)) if value is not None) >= 0


# ── what it cannot know ──


def test_one_size_tells_nothing_apart_however_often_it_ran():
    for runs in ([several()[0]], [several()[0]] * 5):
        law = fit(runs)
        assert values(law) == [None] * 3
        assert law.seconds_per_step(1, 1) is None
        assert [row.ratio for row in law.rows] == [None] * len(runs)
        assert law.median_error is None
        assert law.worst is None
        assert "nothing apart" in sentences(law)[0]


def test_two_sizes_leave_the_byte_unknown_and_prove_nothing():
    law = fit([several()[0], several()[-1]])
    assert law.byte.seconds is None
    assert law.step.seconds is not None
    assert law.operation.error is None
    said = " ".join(sentences(law))
    assert "what a byte takes cannot be told from the rest" in said
    assert "says nothing yet" in said


def test_bytes_that_grow_with_operations_are_not_told_from_them():
    law = fit([run(n, 4 * n) for n in (10**4, 10**5, 10**6, 10**7, 10**8)])
    assert law.step.seconds == pytest.approx(A)
    assert law.operation.seconds == pytest.approx(B + 4 * C), "which has both"
    assert law.byte.seconds is None
    assert "other batch sizes would show it" in " ".join(sentences(law))
    assert all(row.parts[2] is None and row.ratio == pytest.approx(1) for row in law.rows)


def test_operations_that_never_change_are_not_told_from_the_step():
    law = fit([run(10**6, bytes_) for bytes_ in (10**5, 10**6, 10**7, 10**8)])
    assert law.operation.seconds is None
    assert law.byte.seconds == pytest.approx(C)


def test_runs_that_are_all_alike_have_no_law():
    law = fit([run(10**6 + n, 10**5 + n) for n in range(5)])
    assert values(law) == [None] * 3
    assert "too alike" in sentences(law)[0]


def test_a_clock_that_jumped_leaves_a_law_of_finite_numbers():
    law = fit([*several(), run(10**6, 10**5, 1e18), run(10**6, 10**5, 1e-300), run(10**30, 10**30, 1e-9)])
    assert len(law.rows) == len(several()) + 2, "no step takes 1e-300 s"
    json.dumps(law.to_dict(), allow_nan=False)
    assert all(sentences(law))


def test_runs_are_of_one_backend_and_at_least_one():
    for wrong in ([], [several()[0], replace(several()[1], threads=2)], [RUN, replace(RUN, machine="another")]):
        with pytest.raises(ValueError, match="one backend on one machine"):
            fit(wrong)


def test_there_is_a_law_for_each_backend_thread_count_and_machine():
    runs = [replace(RUN, machine=machine, backend=backend, threads=threads)
            for machine, backend, threads in product(("b", "a"), ("numpy", "numba"), (2, 1))]  # fmt: skip
    found = laws([*runs, runs[0]])
    assert [(law.machine, law.backend) for law in found] == [
        (machine, name) for machine in "ab" for name in ("numba@1", "numba@2", "numpy@1", "numpy@2")
    ]
    assert sum(len(law.rows) for law in found) == 9
    assert laws([]) == ()


# ── in words, on the command line ──


def test_the_law_in_words():
    law = fit(several())
    assert formula(law) == "21.0 µs + 23.0 ps · operations + 12.0 ps · bytes"
    first, second, last = sentences(law)
    assert first == (
        "a step costs 21.0 µs before it computes anything; 1 operation takes 23.0 ps (43.5 G/s); 1 byte takes 12.0 ps (83.3 GB/s)"
    )
    assert second == "the constant is the time of 913 k operations or of 1.75 MB moved: a step far below both is mostly overhead"
    assert last.startswith("12 runs of 12 sizes: median error 0.0 %")


def test_the_document_says_what_kind_each_number_is(data, capsys):
    keep([*noisy(0.1), replace(RUN, backend="scalar")])
    law_command(json_=True)
    document = json.loads(capsys.readouterr().out)
    assert len(set(numbers(document))) > 15
    assert unmarked(document) == set()
    assert document["marks"]["laws[].coefficients"] == "measured"
    assert document["marks"]["laws[].rows[].law_seconds_per_step"] == "projected"
    numpy, scalar = document["laws"]
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
    assert law_command() == 0
    assert capsys.readouterr().out.strip() == no_runs()
    assert law_command(json_=True) == 0
    assert json.loads(capsys.readouterr().out)["laws"] == []


def test_the_table_has_the_newest_runs_and_what_they_are_off_by(data, capsys):
    keep(several() * 3)
    with open(data / "runs.jsonl", "ab") as file:
        file.write(b"broken\n")
    assert law_command() == 0
    shown = capsys.readouterr().out
    assert "numpy@1 on machine epyc-1a2b · a step takes 21.0 µs + 23.0 ps · operations + 12.0 ps · bytes" in shown
    assert shown.count("1.00") >= 20
    assert "the newest 20 of 36 runs" in shown
    assert "note: 1 line left out" in shown
    assert "1024-1024-1024" in shown


def test_one_backend_is_chosen_with_or_without_its_threads(data, capsys):
    keep([RUN, replace(RUN, threads=2), replace(RUN, backend="scalar", machine="\x1b[2Jvm")])
    for backend, expected in (("numpy", ["numpy@1", "numpy@2"]), ("numpy@2", ["numpy@2"]), ("scalar", ["scalar@1"])):
        law_command(backend=backend, json_=True)
        assert [law["backend"] for law in json.loads(capsys.readouterr().out)["laws"]] == expected
    law_command()
    assert "\x1b" not in capsys.readouterr().out
    assert law_command(backend="numba") == 0
    assert "no runs on numba yet; there are some on numpy@1, numpy@2, scalar@1" in capsys.readouterr().out


def test_a_backend_that_is_none_is_a_mistake(data):
    with pytest.raises(Exception, match="did you mean numpy") as caught:
        law_command(backend="nunpy")
    assert getattr(caught.value, "exit_code", None) == 2


def test_the_law_needs_numpy_and_the_standard_library_alone():
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"textual", "rich", "cyclopts", "psutil", "threadpoolctl", "platformdirs"}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from tuisim.features.runs.cost_fit import laws
from tuisim.store.runs import runs
assert laws(runs().runs) == ()
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3], timeout=60,
                   env={**os.environ, "TUISIM_HOME": ""})  # fmt: skip


def test_this_machine_is_called_so():
    assert called(this_machine().id) == "this machine"
    assert called("1a2b\x1b[2J") == "machine 1a2b\\x1b[2J"


def test_what_is_held_at_nothing_goes_through_no_run():
    law = fit([run(10, 10, 5e-5), run(2_000, 100, 4e-5), run(4_000, 40_000, 1e-5)])
    assert "goes through them" not in " ".join(sentences(law))
    assert "median error" in " ".join(sentences(law))
