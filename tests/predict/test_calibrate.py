"""Calibrating, predicting and scoring on this machine, with few networks and short runs."""

from __future__ import annotations

import json
import struct
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.made_machine_profile import ELSEWHERE, entry, machine_profile
from tests.support.provenance import unmarked
from tuisim.cli import main
from tuisim.config import RunConfig
from tuisim.engine import benchmark_case
from tuisim.engine.benchmark_case import BenchmarkCase
from tuisim.errors import ClockError, ExitCode, RunError
from tuisim.features.machine.score import score as scoring
from tuisim.features.machine.score.score import BackendScore, ScoredRun, ScoreReport, score
from tuisim.measure import machine_speed
from tuisim.predict import calibrate, predictor, profiles, run_costs, sample
from tuisim.predict.machine import this_machine
from tuisim.predict.prediction import Interval
from tuisim.predict.profile import VERSION, ProfileKey
from tuisim.predict.sample import measure
from tuisim.store.runs import read
from tuisim.units import layers_text

SMALL = RunConfig(layers=(6, 5, 3), batch_size=4, threads=1)


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few networks, small ones, and short runs: the ways are the same."""
    monkeypatch.setattr(calibrate, "FEW", 9)
    monkeypatch.setattr(calibrate, "MANY", 12)
    monkeypatch.setattr(calibrate, "MAX_PRODUCTS_ELSEWHERE", 20_000)
    monkeypatch.setattr(run_costs, "SHORT_EPOCHS", 5)
    monkeypatch.setattr(run_costs, "LONG_EPOCHS", 1)
    monkeypatch.setattr(run_costs, "MANY", 640)
    monkeypatch.setattr(scoring, "RUN_SECONDS", 0.005)
    monkeypatch.setattr(scoring, "grid", lambda backend, threads, dtype: [
        replace(
            SMALL, layers=(6, width, 3), backend=backend, threads=threads, dtype=dtype, examples=32, dataset="teacher"
        ).resolved()
        for width in (4, 5, 6)
    ])  # fmt: skip


# ── measuring ──


def test_the_speed_meter_samples_the_machine_and_returns_the_spread():
    meter = machine_speed.SpeedMeter()
    meter.read()
    assert all(0 < seconds < 1 for seconds in meter.samples[0])
    meter.samples[:] = [(1.0, 2.0)] * 10
    assert meter.spread == 0.0
    meter.samples[:] = [(1.0, 2.0), (1.5, 2.0)] * 5
    assert meter.spread == pytest.approx(0.5 / 1.25)


def test_measurements_that_yield_no_prices_are_not_kept(monkeypatch):
    """Otherwise the reader would refuse the whole profile."""
    fitted = calibrate.fit
    monkeypatch.setattr(calibrate, "fit", lambda *given: replace(fitted(*given), kinds={}))
    with pytest.raises(RunError, match=r"no costs can be fitted .*\(.*dense.*: missing\)"):
        calibrate.calibrate([ProfileKey("numpy", 1, "float32")], quick=True)


def test_a_sample_has_a_time_for_each_operation_and_for_the_whole():
    found = measure(BenchmarkCase(SMALL.resolved(), 4, 0.002))
    assert len(found.operations) == len(found.program.ops)
    assert min(found.operations) > 0
    assert found.step > 0


def test_a_calibration_makes_the_entries_asked_for_and_keeps_the_others():
    told: list[tuple[str, int, int]] = []
    before = machine_profile(entry("numba"), entry("numpy"))
    found = calibrate.calibrate(
        [ProfileKey("numpy", 1, "float32")], before, lambda job, done, of: told.append((job.key, done, of))
    )
    assert [one.key for one in found.entries] == ["numba@1 float32", "numpy@1 float32"]
    made = found.entry(ProfileKey("numpy", 1, "float32"))
    assert made is not None
    assert 9 <= made.networks <= 12
    assert made.best_rate > 1e6
    assert made.peak_flops > 1e8
    assert made.device
    assert told[0] == ("numpy@1 float32", 0, 12)
    assert told[-1] == ("numpy@1 float32", 12, 12)
    assert predictor.Predictor(found).predict(SMALL).step.likely > 0
    assert not unmarked(json.loads(json.dumps(found.document())))


def test_calibrate_marks_fitted_figures(capsys):
    code, out, _ = run(capsys, "calibrate", "--backends", "numpy", "--threads", "1", "--quick")
    assert code == ExitCode.DONE
    measured, projected, products = (part.splitlines() for part in out.split("\n\n")[:3])
    assert measured[1].split() == ["measured", "copy", "best", "step", "peak"]
    assert projected[0].startswith("projected  ")
    assert "call overhead" in projected[0]
    assert products[0].startswith("projected:")


# ── commands ──


def run(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    told = capsys.readouterr()
    return code, told.out, told.err


def test_calibrate_keeps_a_profile_that_predict_uses(capsys):
    code, out, _ = run(capsys, "calibrate", "--backends", "numpy", "--threads", "1", "--json")
    assert code == ExitCode.DONE
    assert [one["key"] for one in json.loads(out)["entries"]] == ["numpy@1 float32"]
    assert profiles.own().profile is not None
    code, out, err = run(capsys, "predict", "6-5-3", "--threads", "1", "--json")
    assert (code, err) == (ExitCode.DONE, "")
    found = json.loads(out)
    assert found["seconds"]["low"] < found["seconds"]["likely"] < found["seconds"]["high"]
    assert found["wall_seconds"]["likely"] > found["seconds"]["likely"]
    assert found["memory_bytes"] > 0
    assert found["machine"] == str(this_machine())


def test_the_figures_of_a_prediction_are_complete_and_add_up(capsys):
    profiles.keep(machine_profile())
    assert main(["predict", "64-32-10", "--dataset", "teacher", "--examples", "1e15", "--epochs", "1", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "1.00 P examples" in out
    assert "  1 epoch\n" in out
    assert "with generating the rows, validation and the training loop" in out
    shares = [float(line.split()[-2]) for line in out.splitlines() if line.endswith(" %")]
    assert sum(shares) == pytest.approx(100, abs=0.6)
    assert main(["predict", "64-32-10", "--threads", "1"]) == 0
    assert "with validation and the training loop" in capsys.readouterr().out


def test_predict_measures_a_missing_entry_and_says_so(capsys):
    code, out, err = run(capsys, "predict", "6-5-3", "--threads", "1")
    assert code == ExitCode.DONE
    assert "measuring numpy@1 float32 quickly, once" in err
    assert "all times projected" in out
    assert run(capsys, "predict", "6-5-3", "--threads", "1")[2] == ""


def test_a_profile_that_cannot_be_saved_still_predicts(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUISIM_HOME", str(tmp_path / "file"))
    code, out, err = run(capsys, "predict", "6-5-3", "--threads", "1")
    assert code == ExitCode.DONE
    assert "all times projected" in out
    assert err.count("TUISIM_HOME") == 1, "why it is not kept, once"


def test_a_broken_profile_is_named_and_replaced(capsys, own_folder):
    (own_folder / "card.json").write_text("{")
    code, _, err = run(capsys, "predict", "6-5-3", "--threads", "1")
    assert code == ExitCode.DONE
    assert "card.json is not JSON" in err
    assert "ignored: run tuisim calibrate" in err
    assert profiles.own().profile is not None


def test_predict_uses_an_imported_profile(capsys, tmp_path):
    profiles.keep(machine_profile())
    assert run(capsys, "calibrate", "--export", str(tmp_path / "mine.json"))[0] == ExitCode.DONE
    profiles.document.write(tmp_path / "abacus.json", "machine card", VERSION, machine_profile(machine=ELSEWHERE).to_dict())
    code, out, _ = run(capsys, "calibrate", "--import", str(tmp_path / "abacus.json"))
    assert (code, "--as abacus" in out) == (ExitCode.DONE, True)
    code, out, _ = run(capsys, "predict", "64-32-10", "--threads", "1", "--as", "abacus", "--json")
    found = json.loads(out)
    assert found["foreign"] is True
    assert found["pilot_seconds"] is None
    assert "Abacus 9000" in run(capsys, "predict", "64-32-10", "--threads", "1", "--as", "abacus")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("calibrate", "--backends", "nmpy"), "backends = nmpy: unknown; did you mean numpy?"),
        (("calibrate", "--threads", "0"), "threads = 0: a thread count from 1"),
        (("calibrate", "--dtypes", "float16"), "dtypes = float16: unknown"),
        (("calibrate", "--dtypes="), "dtypes = '': name at least one"),
        (("calibrate", "--backends="), "backends = '': name at least one"),
        (("calibrate", "--threads="), "threads = '': name at least one"),
        (("calibrate", "--backends", ","), "backends = '': name at least one"),
        (("calibrate", "--import", "/nowhere/card.json"), "no such file"),
        (("calibrate", "--export", "/nowhere/card.json"), "no machine profile yet"),
        (("predict", "64-32-10", "--as", "nobody"), "machine = nobody: no profile of that name"),
        (("predict", "64-0-10"), "layers"),
        (("score",), "no machine profile yet: run tuisim calibrate"),
        (("score", "--backends", "nmpy"), "did you mean numpy?"),
        (("predict", "64-32-10", "--backend", "nothing"), "backend"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(capsys, arguments, words):
    code, out, err = run(capsys, *arguments)
    assert code in (ExitCode.BAD_CONFIGURATION, ExitCode.NO_BACKEND, ExitCode.BAD_DATA)
    assert out == ""
    assert words in err
    assert err.count("\n") == 1


def test_a_network_too_large_for_any_machine_is_predicted(capsys):
    profiles.keep(machine_profile())
    code, out, _ = run(
        capsys, "predict", "1000000-1000000-1000000", "--examples", "1e15", "--dataset", "teacher", "--threads", "1", "--json"
    )  # fmt: skip
    assert code == ExitCode.DONE
    found = json.loads(out)
    assert found["seconds"]["likely"] > 1e15
    assert found["memory_bytes"] > 10**12


def _data_file(folder: Path, form: str) -> Path:
    """103 rows of 4 inputs and one of 3 classes."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((103, 4)), np.arange(103) % 3
    path = folder / f"rows.{form}"
    if form == "csv":
        lines = ["a,b,c,d,class", *(",".join(map(str, (*row, f"c{answer}"))) for row, answer in zip(X.tolist(), y, strict=True))]
        path.write_text("\n".join(lines) + "\n")
    elif form == "npz":
        np.savez(path, X=X, y=y)
    elif form == "npy":
        np.save(path, np.column_stack([X, y]))
    else:
        path = folder / "train-images-idx3-ubyte"
        path.write_bytes(struct.pack(">4I", 0x0803, 103, 2, 2) + rng.integers(0, 256, (103, 4), np.uint8).tobytes())
        (folder / "train-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x0801, 103) + y.astype(np.uint8).tobytes())
    return path


@pytest.mark.parametrize("more", [(), ("--examples", "50"), ("--examples", "1000", "--validation", "0")])
@pytest.mark.parametrize("form", ["csv", "npz", "npy", "idx"])
def test_a_prediction_of_a_file_has_all_its_times_and_the_memory_of_its_rows(capsys, tmp_path, form, more, monkeypatch):
    profiles.keep(machine_profile())
    flags = ("4-5-3", "--dataset", str(_data_file(tmp_path, form)), "--epochs", "2", "--threads", "1", *more)
    code, out, err = run(capsys, "predict", *flags, "--no-pilot", "--json")
    assert (code, err) == (ExitCode.DONE, "")
    found = json.loads(out)
    assert not unmarked(found)
    held = 0 if "--validation" in more else 10
    examples = int(more[1]) if more else 93
    assert found["config"]["examples"] == examples
    assert (found["memory"]["data"], found["memory"]["validation"]) == (min(examples, 103 - held) * (16 + 8), held * (16 + 8))
    assert found["wall_seconds"]["likely"] > found["seconds"]["likely"] > 0
    assert found["loading_seconds"] > 0
    code, out, err = run(capsys, "run", *flags, "--json")
    assert (code, err) == (ExitCode.DONE, "")
    ran = json.loads(out)
    assert ran["config"]["examples"] == examples
    assert ran["predicted_wall_seconds"] == found["wall_seconds"]
    assert "reading the data took" in run(capsys, "predict", *flags)[1]


def test_a_named_dataset_is_predicted_without_being_read(capsys, monkeypatch):
    monkeypatch.setattr("tuisim.data.dataset.load", lambda config: pytest.fail("it was read"))
    profiles.keep(machine_profile())
    for layers, name, rows in (("64-32-10", "digits", 1_618), ("784-8-10", "fashion_mnist", 54_000)):
        code, out, _ = run(capsys, "predict", layers, "--dataset", name, "--threads", "1", "--json")
        found = json.loads(out)
        assert (code, found["loading_seconds"]) == (ExitCode.DONE, None)
        assert found["memory"]["data"] == rows * (4 * int(layers.partition("-")[0]) + 8)
        assert found["wall_seconds"]["likely"] > 0


@pytest.mark.parametrize(("text", "words"), [(None, "no such file"), ("1,2\n3,4\n", "begin with 1")])
def test_a_file_that_cannot_be_used_is_one_line(capsys, tmp_path, text, words):
    path = tmp_path / "rows.csv"
    if text is not None:
        path.write_text(text)
    profiles.keep(machine_profile())
    code, out, err = run(capsys, "predict", "4-5-3", "--dataset", str(path), "--threads", "1")
    assert (code, out, err.count("\n")) == (ExitCode.BAD_DATA, "", 1)
    assert words in err


# ── runs ──


def test_a_run_is_compared_with_its_prediction_and_recorded(capsys):
    profiles.keep(machine_profile())
    flags = ("64-32-10", "--dataset", "digits", "--epochs", "3", "--threads", "1")
    code, out, err = run(capsys, "run", *flags, "--json")
    assert (code, err) == (ExitCode.DONE, "")
    found = json.loads(out)
    assert not unmarked(found)
    ratio = found["wall_seconds"] / found["predicted_wall_seconds"]["likely"]
    assert found["longer_than_predicted"]["wall"] == pytest.approx(ratio - 1)
    assert found["longer_than_predicted"]["steps"] == pytest.approx(
        found["seconds"] / found["predicted_seconds"]["likely"] - 1, abs=0.05
    )
    (one,) = read().runs
    assert (one.machine, one.name, one.steps, one.ended) == (this_machine().id, "numpy@1", found["steps"], "completed")
    assert one.predicted_seconds == tuple(found["predicted_seconds"].values())
    code, out, _ = run(capsys, "run", *flags)
    assert " per step, measured " in out
    assert "predicted" in out
    assert " in total, measured " in out


def test_a_run_without_a_profile_is_recorded_without_a_prediction(capsys):
    code, out, err = run(capsys, "run", "6-5-3", "--examples", "64", "--epochs", "2", "--json")
    assert (code, err) == (ExitCode.DONE, "")
    found = json.loads(out)
    assert found["predicted_seconds"] is found["predicted_wall_seconds"] is None
    assert found["longer_than_predicted"] == {"steps": None, "wall": None}
    assert read().runs[0].predicted_seconds is None


def test_a_run_that_cannot_be_recorded_is_reported_and_completes(capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUISIM_HOME", str(tmp_path / "file"))
    code, out, err = run(capsys, "run", "6-5-3", "--examples", "64", "--epochs", "2", "--json")
    assert code == ExitCode.DONE
    assert json.loads(out)["ended"] == "completed"
    assert "this run was not kept: " in err
    assert err.count("\n") == 1


# ── scores ──


def test_a_score_is_of_real_runs(monkeypatch):
    seen = predictor.Predictor(calibrate.calibrate([ProfileKey("numpy", 1, "float32")], None, quick=True))
    told: list[str] = []
    found = score(seen, tell=told.append)
    assert [(one.label, len(one.runs)) for one in found.scores] == [("numpy@1 float32", 3)]
    assert [layers_text(run.config.layers) for run in found.scores[0].runs] == ["6-4-3", "6-5-3", "6-6-3"]
    assert all(run.seconds > 0 and run.wall_seconds >= run.seconds for run in found.scores[0].runs)
    assert told[0] == "numpy@1 float32: 0 of 3"
    assert not unmarked(json.loads(json.dumps(found.to_dict(), allow_nan=False)))


def scored(ratio: float, wide: float = 1.5, timed: float = 1.0) -> ScoredRun:
    """Return a run predicted at `ratio` times its seconds, and by a pilot at `timed` times."""
    model, pilot = (Interval(likely / wide, likely, likely * wide) for likely in (ratio, timed))
    return ScoredRun(SMALL.resolved(), model, pilot, 1.0, None, 1.1)


def of_backend(*runs: ScoredRun, spread: float = 0.0) -> BackendScore:
    return BackendScore("numpy@1", runs, spread)


def test_a_backend_missing_from_the_profile_cannot_be_scored(capsys):
    profiles.keep(machine_profile())
    code, out, err = run(capsys, "score", "--backends", "scalar")
    assert (code, out) == (ExitCode.NO_BACKEND, "")
    assert "scalar: not in the machine profile (it has numpy); tuisim calibrate --backends scalar" in err


def test_the_accuracy_of_a_backend():
    found = of_backend(*(scored(ratio) for ratio in (0.5, 0.9, 1.0, 1.0, 1.3)))
    assert found.model.median == pytest.approx(0.1)
    assert found.model.within == pytest.approx(0.6)
    assert found.model.covered == pytest.approx(0.8)
    assert found.ratios(0.0, 0.5, 1.0) == pytest.approx((0.5, 1.0, 1.3))
    assert not found.passed
    assert of_backend(*[scored(1.05)] * 9).passed
    assert not of_backend(*[scored(1.05, timed=1.1)] * 9).passed, "on a calm machine"
    assert of_backend(*[scored(1.05, timed=1.1)] * 9, spread=0.3).passed, "on a busy one"
    assert not of_backend(*[scored(1.05, timed=1.2)] * 9, spread=0.3).passed
    assert not ScoreReport("here", (), ()).passed, "nothing scored is nothing shown"
    assert of_backend(scored(1.0), scored(2.0)).ratios(0.25) == (1.25,)


def test_a_run_that_fails_is_named_and_left_out():
    found = score(predictor.Predictor(machine_profile(entry("numpy", 1, "float32"), entry("nothing", 1, "float32"))), ["nothing"])
    assert found.scores == ()
    assert len(found.skipped) == 3
    assert "nothing" in found.skipped[0][1]


def test_a_failed_score_exits_with_one(capsys, monkeypatch):
    profiles.keep(machine_profile())
    monkeypatch.setattr(
        "tuisim.features.machine.score.command.run_score", lambda *_: ScoreReport("here", (of_backend(scored(2.0)),), ())
    )
    code, out, _ = run(capsys, "score")
    assert code == ExitCode.CHECK_FAILED
    assert "100.0 %" in out
    monkeypatch.setattr(
        "tuisim.features.machine.score.command.run_score", lambda *_: ScoreReport("here", (of_backend(scored(1.0)),), ())
    )
    assert run(capsys, "score", "--json")[0] == ExitCode.DONE


# ── clocks that cannot be ──


@pytest.mark.parametrize("tick", [lambda: 5.0, lambda: round(time.monotonic() * 64) / 64], ids=["still", "64 a second"])
def test_a_clock_that_is_too_coarse_is_reported(capsys, monkeypatch, tick):
    for module in (machine_speed, benchmark_case, sample, calibrate):
        monkeypatch.setattr(module, "perf_counter", tick)
    code, _, err = run(capsys, "calibrate", "--backends", "numpy", "--threads", "1")
    assert code == ExitCode.RUN_FAILED
    assert "clock" in err
    profiles.keep(machine_profile())
    assert run(capsys, "predict", "64-32-10", "--threads", "1", "--backend", "numpy")[0] == ExitCode.DONE


def test_a_clock_that_goes_back_yields_no_negative_price(monkeypatch):
    monkeypatch.setattr(sample, "_by_operation", lambda case: [1e-6, -1.0])
    with pytest.raises(ClockError):
        measure(benchmark_case.BenchmarkCase(SMALL.resolved(), 4, 0.001))


# ── what is asked wrongly ──


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--export there.json --backends nosuch --threads -5 --quick", ["backends = nosuch", "threads = -5", "quick = "]),
        ("--name lab", ["name = lab: only with --import"]),
        ("--import a.json --dtypes float64", ["dtypes = float64", "nothing is measured"]),
    ],
)
def test_options_without_effect_are_refused(capsys, arguments, said):
    assert main(["calibrate", *arguments.split()]) == ExitCode.BAD_CONFIGURATION
    err = capsys.readouterr().err
    for words in said:
        assert words in err


def test_an_unwritable_profile_is_reported_before_anything_is_measured(capsys, own_folder, monkeypatch):
    monkeypatch.setattr("tuisim.features.machine.calibrate.command.measure", lambda *_, **__: pytest.fail("it was measured"))
    for name, words in (("card.json", "cannot be written: it is a folder"), ("card.lock", "is not a regular file")):
        (own_folder / name).mkdir()
        assert main(["calibrate", "--backends", "numpy"]) == ExitCode.BAD_DATA
        assert f"{name} {words}" in capsys.readouterr().err
        (own_folder / name).rmdir()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("score", "--backends", ""), "name at least one"),
        (("calibrate", "--import", "a.json", "--export", "b.json"), "give either --export or --import"),
    ],
)
def test_contradictory_options_are_refused(capsys, arguments, said):
    profiles.keep(machine_profile())
    code, _, err = run(capsys, *arguments)
    assert code == ExitCode.BAD_CONFIGURATION
    assert said in err


def test_export_and_import_as_json(capsys, tmp_path):
    profiles.keep(machine_profile())
    code, out, _ = run(capsys, "calibrate", "--export", str(tmp_path / "mine.json"), "--json")
    assert (code, json.loads(out)) == (ExitCode.DONE, {"exported": str(tmp_path / "mine.json")})
    code, out, _ = run(capsys, "calibrate", "--import", str(tmp_path / "mine.json"), "--name", "lab", "--json")
    assert (code, json.loads(out)["imported"]) == (ExitCode.DONE, "lab")
