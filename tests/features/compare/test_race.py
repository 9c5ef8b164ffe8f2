"""The race: its entries, its result, and entries that fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuisim import RunConfig, Trainer, count
from tuisim.backends import names, probe
from tuisim.backends.numpy import NumpyBackend, NumpyStep
from tuisim.backends.registry import Probe
from tuisim.cli import main
from tuisim.engine.history import POINTS, MeanCurve
from tuisim.engine.initial_state import initial_state
from tuisim.engine.job import Cancelled, Job
from tuisim.errors import ConfigError, ExitCode
from tuisim.features.compare import entries as entries_module
from tuisim.features.compare.entries import (
    FIRST_STEPS,
    BackendEntry,
    TimedEntry,
    all_entries,
    entries,
    max_difference,
)
from tuisim.features.compare.race import race
from tuisim.features.compare.race.race import Comparison, Standing, Unavailable, compare
from tuisim.features.compare.race.screen import RaceScreen
from tuisim.measure.peaks import Peaks
from tuisim.tui.context import PageContext

SMALL = RunConfig(layers=(5, 4, 3), examples=50, batch_size=8, validation=0, threads=1, dtype="float64")
TWO = (BackendEntry("numpy", None), BackendEntry("scalar", None))


STEP = {"numpy": 1e-4, "scalar": 1e-2}
"""Seconds a step is said to take: real steps, by a clock that no busy machine can disturb."""


@pytest.fixture(autouse=True)
def clocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rounds, and a clock of their own."""
    real = TimedEntry._advance

    def advance(self: TimedEntry, steps: int) -> float:
        real(self, steps)
        return steps * STEP[self.entry.backend]

    monkeypatch.setattr(TimedEntry, "_advance", advance)
    monkeypatch.setattr(race, "ROUND_SECONDS", 1e-3)
    monkeypatch.setattr(race, "MAX_ROUNDS", 5)
    monkeypatch.setattr(race, "least_seconds", lambda backend, ledger: 0.0)


# ── entries ──


def test_names_and_threads_are_read(monkeypatch):
    assert entries(" numpy, scalar ,numpy@2") == (
        BackendEntry("numpy", None),
        BackendEntry("scalar", None),
        BackendEntry("numpy", 2),
    )
    monkeypatch.setattr(entries_module, "usable_cores", lambda: 6)
    assert [entry.name for entry in entries("scalar,numpy@all")] == ["scalar", "numpy@1", "numpy@2", "numpy@4", "numpy@6"]
    assert BackendEntry("numpy", 2).name == "numpy@2"
    assert BackendEntry("numpy", None).name == "numpy"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("numpy", "at least two"),
        ("", "at least two"),
        ("numpy,numpy", "each once"),
        ("numpy,scaler", "did you mean scalar?"),
        ("numpy,numpy@0", "thread count from 1"),
        ("numpy,numpy@two", "thread count from 1"),
        ("numpy,numpy@", "thread count from 1"),
    ],
)
def test_invalid_entries_are_refused_in_one_line(text, words):
    with pytest.raises(ConfigError) as found:
        entries(text)
    assert words in str(found.value)
    assert "\n" not in str(found.value)


def test_too_many_threads_are_noted_with_their_cost(monkeypatch):
    monkeypatch.setattr(entries_module, "usable_cores", lambda: 2)
    assert entries_module.warning(BackendEntry("numpy", 1)) == ""
    assert "uses every core" in entries_module.warning(BackendEntry("numpy", 2))
    assert "more threads than the 2 usable cores" in entries_module.warning(BackendEntry("numpy", 3))
    found = compare(SMALL, (BackendEntry("numpy", 1), BackendEntry("numpy", 3)))
    assert any("more threads" in note and "× the speed of numpy@1" in note for note in found.notes)


# ── the result ──


def test_all_entries_make_the_steps_of_a_run():
    found = compare(SMALL, TWO)
    ours, theirs = found.rows
    assert (ours.name, theirs.name) == ("numpy", "scalar")
    for row in found.rows:
        assert row.same is True
        assert row.rounds == 5
        assert row.microseconds_per_step == pytest.approx(1e6 * STEP[row.backend])
        assert row.spread == pytest.approx(0.0, abs=1e-9)
        assert row.examples_per_second == pytest.approx(8 / STEP[row.backend])
        assert row.flops_per_second == pytest.approx(count(SMALL).step_total.flops / STEP[row.backend])
        assert row.first_call_seconds == pytest.approx(STEP[row.backend])
        assert row.bind_seconds > 0
        assert row.utilization > 0
    assert found.unavailable == ()
    assert ours.speedup == 1.0
    assert theirs.speedup == pytest.approx(ours.microseconds_per_step / theirs.microseconds_per_step)
    assert ours.max_parameter_difference == 0.0
    assert theirs.speedup == pytest.approx(0.01)
    assert theirs.max_parameter_difference < 1e-12
    assert [row.name for row in found.fastest] == ["numpy"]


def test_a_rate_above_the_measured_peak_is_marked_and_explained(monkeypatch, capsys):
    monkeypatch.setattr(race, "peaks_of", lambda *_: Peaks("float32", 1, 1e6, 1e9, None, flops_spread=0.1))
    found = compare(SMALL, TWO)
    fast, slow = found.rows
    assert fast.utilization > 1.1 > slow.utilization
    assert fast.above_peak is not None
    assert slow.above_peak is None
    assert any(note.startswith("numpy is above the measured peak") for note in found.notes)
    assert [row["above_peak"] is None for row in found.to_dict()["rows"]] == [False, True]
    assert main(["compare", "5-4-3", "--backends", "numpy,scalar", "--seconds", "0.1"]) == 0
    assert "% ▲" in capsys.readouterr().out


def test_the_first_steps_are_those_of_the_run():
    entry, trainer = TimedEntry(TWO[0], initial_state(SMALL.resolved())), Trainer(SMALL)
    losses = [trainer.step() for _ in range(FIRST_STEPS)]
    assert list(entry.losses) == losses
    theirs = np.concatenate([part.ravel() for pair in trainer.parameters() for part in pair])
    np.testing.assert_array_equal(entry.parameters, theirs)
    assert entry.steps == FIRST_STEPS


def test_the_document_is_plain_and_complete():
    document = json.loads(json.dumps(compare(SMALL, TWO).to_dict(), allow_nan=False))
    assert document["fastest"] == ["numpy"]
    assert document["compared_after_steps"] == FIRST_STEPS
    promised = {
        "backend", "first_call_seconds", "examples_per_second", "flops_per_second", "microseconds_per_step", "speedup",
        "max_parameter_difference",
    }  # fmt: skip
    assert all(promised <= row.keys() for row in document["rows"])
    assert document["unavailable"] == []


def test_rows_have_the_dtype_that_they_compute_in():
    found = compare(replace(SMALL, dtype="float32"), TWO)
    assert [row.dtype for row in found.rows] == ["float32", "float64"]
    assert "backend scalar: computes in float64, not in float32" in found.notes
    assert not any("computes in" in note for note in compare(SMALL, TWO).notes)


def test_entries_that_tie_are_all_named():
    one = compare(SMALL, TWO).rows[0]
    rows = [
        replace(one, name=n, microseconds_per_step=t, spread=s)
        for n, t, s in (("a", 11.0, 0.5), ("b", 10.0, 0.1), ("c", 10.4, 0.5), ("d", 60.0, 59.0))
    ]
    assert [row.name for row in Comparison(SMALL, tuple(rows), (), (), 1.0).fastest] == ["b", "c"]
    assert Comparison(SMALL, (rows[0],), (), (), 1.0).fastest == (rows[0],)
    assert Comparison(SMALL, (), (), (), 1.0).fastest == ()


class _WrongStep(NumpyStep):
    def set_learning_rate(self, rate: float) -> None:
        super().set_learning_rate(rate * 1.01)


class _Wrong(NumpyBackend):
    """Computes something else than it says."""

    def bind(self, program: Any, share: Any = None) -> NumpyStep:
        return _WrongStep(program, share)


def _as_scalar(backend: Callable[[], Any]) -> Callable[[str], Any]:
    return lambda name: backend() if name == "scalar" else NumpyBackend()


def test_a_backend_that_computes_something_else_is_detected(monkeypatch):
    monkeypatch.setattr("tuisim.engine.initial_state.get_backend", _as_scalar(_Wrong))
    found = compare(SMALL, TWO)
    assert found.rows[1].same is False
    assert found.rows[1].where
    assert any("differs from numpy by more than rounding explains" in note for note in found.notes)


# ── entries that fail ──


def test_an_entry_that_fails_at_the_start_is_listed_with_its_reason(monkeypatch):
    class Broken(NumpyBackend):
        def bind(self, program: Any, share: Any = None) -> NumpyStep:
            raise OSError("the device is gone")

    monkeypatch.setattr("tuisim.engine.initial_state.get_backend", _as_scalar(Broken))
    found = compare(SMALL, TWO)
    assert found.unavailable == (Unavailable("scalar", "the device is gone"),)
    assert [(row.name, row.rounds) for row in found.rows] == [("numpy", 5)]


def test_an_unavailable_entry_is_listed_with_reason_and_remedy(monkeypatch):
    absent = Probe("scalar", False, reason="not installed", remedy="pip install it")
    monkeypatch.setattr(race, "probe", lambda name: absent if name == "scalar" else probe(name))
    told: list[tuple[Standing, ...]] = []
    found = compare(SMALL, TWO, tell=told.append)
    assert found.unavailable == (Unavailable("scalar", "not installed", "pip install it"),)
    assert [row.name for row in found.rows] == ["numpy"]
    assert told[-1][1].reason == "not installed; pip install it"


def test_when_an_entry_fails_in_the_middle_the_others_finish(monkeypatch):
    real = TimedEntry.turn

    def turn(self: TimedEntry, seconds: float) -> None:
        if self.entry.backend == "scalar" and len(self.samples) == 2:
            raise MemoryError
        real(self, seconds)

    monkeypatch.setattr(TimedEntry, "turn", turn)
    found = compare(SMALL, TWO)
    assert [one.backend for one in found.unavailable] == ["scalar"]
    assert found.unavailable[0].reason.startswith("out of memory")
    assert [row.rounds for row in found.rows] == [5]


def test_a_loss_that_is_not_finite_ends_its_entry():
    found = compare(replace(SMALL, loss="mse", learning_rate=1e200), TWO)
    assert [one.backend for one in found.unavailable] == ["numpy", "scalar"]
    assert all("is not finite after" in one.reason for one in found.unavailable)
    assert found.rows == found.fastest == ()


def test_an_entry_that_would_take_hours_is_left_out_with_its_time(monkeypatch):
    monkeypatch.setattr(race, "least_seconds", lambda backend, ledger: 3600.0 * (backend == "scalar"))
    found = compare(SMALL, TWO)
    assert [one.backend for one in found.unavailable] == ["scalar"]
    assert found.unavailable[0].reason == "left out: its first steps and rounds would take 23 h 00 min or more"
    assert "more seconds" in found.unavailable[0].hint
    assert [row.name for row in found.rows] == ["numpy"]


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_budget_must_be_positive(seconds):
    with pytest.raises(ConfigError, match="above 0"):
        compare(SMALL, TWO, seconds)


def test_a_budget_too_short_for_one_round_is_refused_with_its_time(monkeypatch):
    monkeypatch.setattr(race, "ROUND_SECONDS", 0.05)
    with pytest.raises(ConfigError, match=r"too short for one round, which takes about 100 ms"):
        compare(SMALL, TWO, 0.001)


# ── progress ──


def test_standings_are_reported_after_every_turn():
    told: list[tuple[Standing, ...]] = []
    compare(SMALL, TWO, tell=told.append)
    assert len(told) == 1 + 2 + 5 * 2
    assert [one.name for one in told[0]] == ["numpy", "scalar"]
    assert told[1][1].steps == 0
    assert all(one.microseconds_per_step for one in told[-1])
    steps = [standings[0].steps for standings in told]
    assert steps == sorted(steps)


def test_an_exception_raised_by_tell_ends_the_race():
    told: list[tuple[Standing, ...]] = []

    def tell(standings: tuple[Standing, ...]) -> None:
        told.append(standings)
        if len(told) == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        compare(SMALL, TWO, 60.0, tell)
    assert sum(one.microseconds_per_step is not None for one in told[-1]) == 2


def test_a_job_publishes_the_standings_and_the_result():
    screen = RaceScreen(PageContext(config=SMALL))
    job = Job("race", lambda job: compare(SMALL, TWO, tell=job.report))
    job.start()
    assert job.join(20)
    state = screen.state(job)
    assert state.comparison is not None
    assert [one.name for one in state.standings] == ["numpy", "scalar"]
    failing = RaceScreen(PageContext(config=replace(SMALL, dataset="no_such.csv"))).make_job()
    failing.start()
    assert failing.join(20)
    assert failing.result is None
    assert "no_such.csv" in screen.state(failing).failure


def test_all_entries_are_every_backend_and_all_cores():
    assert BackendEntry("numpy", 4) in all_entries(4)
    assert [entry.backend for entry in all_entries(1)].count("numpy") == 1
    assert BackendEntry("scalar", None) in all_entries(1)


def test_a_backend_that_is_not_installed_does_not_race(monkeypatch):
    found = {"cupy": Probe("cupy", False, None, "", "not installed", "pip install it")}
    monkeypatch.setattr(entries_module, "probe_if_loaded", found.get)
    assert [entry.backend for entry in all_entries(1)] == [name for name in names() if name != "cupy"]
    found["cupy"] = Probe("cupy", False, "14.2.0", "", "no NVIDIA driver", "install it")
    assert BackendEntry("cupy", None) in all_entries(1), "a broken one is listed with its reason"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_a_decimated_loss_curve_keeps_its_mean_and_its_order(lengths):
    entry = TimedEntry.__new__(TimedEntry)
    entry._losses, entry.steps = MeanCurve(), 0
    at = 0
    for length in lengths:
        entry._losses.extend([float(n) for n in range(at, at + length)])
        at = entry.steps = at + length
    kept = len(entry.losses) * entry._losses.stride
    assert len(entry.losses) <= POINTS
    assert 0 <= at - kept < entry._losses.stride
    assert list(entry.losses) == sorted(entry.losses)
    if kept:
        assert np.mean(entry.losses) == pytest.approx((kept - 1) / 2)


def test_the_largest_parameter_difference_and_where_it_is():
    theirs = np.zeros(5 * 4 + 4)
    ours = theirs.copy()
    ours[7], ours[21] = 0.5, -0.75
    assert max_difference(ours, theirs, (5, 4)) == (0.75, "layer 1, b[1]")
    ours[3] = np.nan
    worst, where = max_difference(ours, theirs, (5, 4))
    assert np.isnan(worst)
    assert where == "layer 1, W[0,3]"


# ── the command ──

FLAGS = ["compare", "5-4-3", "--examples", "50", "--batch-size", "8"]


def test_the_command_prints_both_tables(capsys):
    assert main([*FLAGS, "--backends", "scalar,numpy"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert err == ""
    assert "µs/step" in out
    assert "first step" in out
    assert "fastest here: numpy" in out
    assert "speedup: median step time of scalar over this one's" in out


def test_the_command_as_json(capsys):
    assert main([*FLAGS, "--backends", "numpy,numpy@1", "--json"]) == ExitCode.DONE
    assert [row["name"] for row in json.loads(capsys.readouterr().out)["rows"]] == ["numpy", "numpy@1"]


def test_the_command_refuses_in_one_line(capsys):
    assert main([*FLAGS, "--backends", "numpy"]) == ExitCode.BAD_CONFIGURATION
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1


def test_fewer_than_two_remaining_entries_are_no_comparison(capsys):
    flags = [*FLAGS, "--loss", "mse", "--learning-rate", "1e200", "--dtype", "float64"]
    assert main(flags) == ExitCode.NO_BACKEND
    assert "scalar: its loss is not finite after" in capsys.readouterr().out
    assert main([*flags, "--json"]) == ExitCode.NO_BACKEND
    assert [one["backend"] for one in json.loads(capsys.readouterr().out)["unavailable"]] == ["scalar", "numpy"]
