"""The background predictor: its profile, calibrations and pilots, and when it leaves the machine alone."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.support.made_calibration import Calibration
from tests.support.made_machine_profile import entry, machine_profile
from tuisim.backends import Probe, names, registry
from tuisim.config import RunConfig
from tuisim.engine.job import Cancelled
from tuisim.engine.lease import Claim, MachineLease, Priority
from tuisim.errors import MemoryNeeded
from tuisim.predict import background, profiles
from tuisim.predict.background import MAX_DISTURBED, SOON, VARIABLE, BackgroundPredictor, Measuring
from tuisim.predict.calibrate import calibrate
from tuisim.predict.cost_model import predict
from tuisim.predict.pilot import Pilot
from tuisim.predict.prediction import Interval
from tuisim.predict.profile import ProfileKey
from tuisim.threads import usable_cores

DIGITS = RunConfig(layers=(64, 32, 10), dataset="digits", threads=1)


class Pilots:
    """In place of the real pilot: times nothing, or waits until it is not wanted."""

    def __init__(self, waits: bool = False, fails: Exception | None = None) -> None:
        self.configs: list[RunConfig] = []
        self.ended = threading.Event()
        self._waits, self._fails = waits, fails

    def __call__(self, config: RunConfig, *, wanted: Callable[[], bool]) -> Pilot | None:
        self.configs.append(config)
        if self._fails is not None:
            raise self._fails
        while self._waits:
            if not wanted():
                self.ended.set()
                return None
            time.sleep(0.002)
        return Pilot(Interval(0.9e-3, 1e-3, 1.1e-3), 0.05)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(background, "LOOK_SECONDS", 0.005)


class Watched(BackgroundPredictor):
    """Counts its looks at the configuration, and notifies a waiting test of each."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.looks = 0
        self.looked = threading.Condition()

    def _prepare(self, config: RunConfig) -> None:
        super()._prepare(config)
        with self.looked:
            self.looks += 1
            self.looked.notify_all()

    def look_again(self) -> None:
        """Wait until a look that begins after this call has ended."""
        with self.looked:
            last = self.looks + 2  # the next one may have begun before
            assert self.looked.wait_for(lambda: self.looks >= last, 10)


@contextmanager
def going(predictor: Watched) -> Iterator[Watched]:
    predictor.start()
    try:
        yield predictor
    finally:
        predictor.cancel()
        assert predictor.join(10)
    assert predictor.failure is None


def until(what: Callable[[], Any]) -> Any:
    """Wait for it; it must come."""
    end = time.monotonic() + 10
    while not (found := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)
    return found


def test_a_machine_without_a_profile_is_measured_and_the_profile_kept():
    measure = Calibration()
    with going(Watched(calibration=measure, pilot=Pilots(), by_itself=True)) as predictor:
        assert predictor.state(DIGITS).prediction is None
        predictor.prepare(DIGITS)
        found = until(lambda: predictor.state(DIGITS).prediction)
        assert found.backend == "numpy"
    assert measure.jobs == [ProfileKey("numpy", 1, "float32")]
    kept = profiles.own().profile
    assert kept is not None
    assert [one.key for one in kept.entries] == ["numpy@1 float32"]


def test_a_profile_that_is_not_read_yet_is_not_called_missing():
    """At the start: it need not be measured first."""
    profiles.keep(machine_profile())
    predictor = Watched(by_itself=True)
    seen = predictor.state(DIGITS)
    assert (seen.prediction, seen.measuring, seen.trouble) == (None, None, "")
    assert seen.memory == predict(replace(DIGITS, threads=1), machine_profile()).memory, "counted, whatever the machine"
    predictor._read()
    assert predictor.state(DIGITS).prediction is not None


def test_missing_entries_are_added_to_the_profile():
    profiles.keep(machine_profile(entry("numba")))
    measure = Calibration()
    with going(Watched(calibration=measure, pilot=Pilots(), by_itself=True)) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: predictor.state(DIGITS).prediction)
        wide = replace(DIGITS, dtype="float64")
        assert predictor.state(wide).prediction is None
        predictor.prepare(wide)
        until(lambda: predictor.state(wide).prediction)
        predictor.prepare(replace(DIGITS, backend="numba"))
        until(lambda: predictor.state(replace(DIGITS, backend="numba")).prediction)
    kept = profiles.own().profile
    assert kept is not None
    assert {one.key for one in kept.entries} == {"numba@1 float32", "numpy@1 float32", "numpy@1 float64"}


def test_progress_is_published_and_a_calibration_nobody_waits_for_is_cancelled():
    measure = Calibration(waits=True)
    with going(Watched(calibration=measure, pilot=Pilots(), by_itself=True)) as predictor:
        before = predictor.stamp
        predictor.prepare(DIGITS)
        assert until(lambda: predictor.state(DIGITS).measuring) == Measuring("numpy@1 float32", 12, 30)
        assert predictor.stamp != before
        assert predictor.measuring
        predictor.prepare(None)
        assert measure.ended.wait(10)
        until(lambda: not predictor.measuring)
        until(lambda: predictor.state(DIGITS).measuring is None)
    assert profiles.own().profile is None


def test_nothing_is_measured_during_a_run_and_a_calibration_stops_for_one():
    lease, measure = MachineLease(), Calibration(waits=True)
    training = Claim("training", Priority.TRAINING)
    assert lease.acquire(training)
    with going(Watched(lease, measure, True, Pilots())) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: lease._waiting)
        assert measure.jobs == []
        lease.release(training)
        until(lambda: measure.jobs)
        assert lease.acquire(training), "once the calibration has stopped"
        assert measure.ended.is_set()
        lease.release(training)


def test_a_broken_profile_is_named_and_replaced(own_folder):
    (own_folder / profiles.OWN).write_text("{")
    lease, training = MachineLease(), Claim("training", Priority.TRAINING)
    assert lease.acquire(training)
    with going(Watched(lease, Calibration(), True, Pilots())) as predictor:
        predictor.prepare(DIGITS)
        trouble = until(lambda: predictor.state(DIGITS).trouble)
        until(lambda: "ignored" in predictor.state(DIGITS).trouble)
        assert "\n" not in trouble
        lease.release(training)
        assert until(lambda: predictor.state(DIGITS).prediction)
        assert predictor.state(DIGITS).trouble == ""
    assert profiles.own().profile is not None


def test_an_outdated_profile_is_named_and_replaced():
    now = machine_profile()
    profiles.keep(replace(now, machine=replace(now.machine, numpy="1.0.0")))
    lease, training = MachineLease(), Claim("training", Priority.TRAINING)
    assert lease.acquire(training)
    with going(Watched(lease, Calibration(), True, Pilots())) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: "numpy was 1.0.0" in predictor.state(DIGITS).trouble)
        lease.release(training)
        until(lambda: predictor.state(DIGITS).prediction)


def test_a_failed_calibration_is_reported_and_not_repeated():
    measure = Calibration(fails="the loss is not a number")
    with going(Watched(calibration=measure, pilot=Pilots(), by_itself=True)) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: "the loss is not a number" in predictor.state(DIGITS).trouble)
        predictor.look_again()
    assert len(measure.jobs) == 1


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (replace(DIGITS, backend="cupy"), "tuisim calibrate --backends cupy"),
        (replace(DIGITS, threads=usable_cores() + 1), f"numpy@{usable_cores() + 1}"),
    ],
    ids=["a GPU", "more threads than cores"],
)
def test_backends_that_are_not_calibrated_automatically_have_a_remedy(asked, words):
    profiles.keep(machine_profile())
    measure = Calibration()
    with going(Watched(calibration=measure, pilot=Pilots(), by_itself=True)) as predictor:
        predictor.prepare(asked)
        until(lambda: words in predictor.state(asked).trouble)
        predictor.look_again()
    assert measure.jobs == []


def test_the_variable_disables_automatic_calibration(monkeypatch):
    monkeypatch.setenv(VARIABLE, "never")
    measure = Calibration()
    with going(Watched(calibration=measure)) as predictor:
        predictor.prepare(DIGITS)
        predictor.look_again()
        assert "tuisim calibrate" in predictor.state(DIGITS).trouble
        assert not predictor.measuring
    assert measure.jobs == []


def test_a_profile_written_by_another_process_is_used(monkeypatch):
    monkeypatch.setattr(background, "READ_SECONDS", 0.0)
    with going(Watched(by_itself=False)) as predictor:
        predictor.prepare(DIGITS)
        predictor.look_again()
        assert predictor.state(DIGITS).prediction is None
        profiles.keep(machine_profile())
        until(lambda: predictor.state(DIGITS).prediction)


def test_a_profile_that_cannot_be_saved_is_used_with_a_warning(own_folder):
    (own_folder / profiles.OWN).mkdir()
    with going(Watched(calibration=Calibration(), pilot=Pilots(), by_itself=True)) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: predictor.state(DIGITS).prediction)
        assert profiles.OWN in predictor.state(DIGITS).trouble
        assert "measured again at the next start" in predictor.state(DIGITS).trouble
        predictor._read_at = -math.inf  # as after some seconds
        predictor.prepare(replace(DIGITS, batch_size=7))
        until(lambda: predictor._read_at > 0)
        assert "measured again at the next start" in predictor.state(DIGITS).trouble


def test_an_entry_that_will_be_calibrated_is_no_trouble(monkeypatch):
    profiles.keep(machine_profile(entry("numpy")))
    measure = Calibration()
    asked = replace(DIGITS, backend="numba")
    with going(Watched(calibration=measure, pilot=Pilots(), by_itself=True)) as predictor:
        until(lambda: predictor.state(DIGITS).prediction)
        assert "tuisim calibrate --backends numba" in predictor.state(asked).trouble, "nobody has asked for it"
        monkeypatch.setattr(background, "SETTLED_SECONDS", 60.0)
        predictor.prepare(asked)
        assert predictor.state(asked).trouble == SOON
        monkeypatch.setattr(background, "SETTLED_SECONDS", 0.0)
        until(lambda: predictor.state(asked).prediction)
    with going(Watched(calibration=measure, by_itself=False)) as predictor:
        until(lambda: predictor.state(DIGITS).prediction)
        assert "tuisim calibrate --backends scalar" in predictor.state(replace(DIGITS, backend="scalar")).trouble


def test_auto_waits_until_every_backend_is_known(monkeypatch):
    auto = replace(DIGITS, backend="auto")
    profiles.keep(machine_profile(entry("numpy"), entry("numba"), entry("scalar", 1, "float64")))
    found: dict[str, Probe] = {}
    monkeypatch.setattr(registry, "_found", found)
    monkeypatch.setattr(background.backends, "probe_if_loaded", found.get)
    with going(Watched(calibration=Calibration(), pilot=Pilots(), by_itself=True)) as predictor:
        assert "finding out" in predictor.state(auto).trouble
        predictor.prepare(auto)
        assert until(lambda: predictor.state(auto).prediction).backend in names()


def test_a_cancelled_calibration_stops_before_the_next_network():
    told: list[int] = []

    def tell(key: ProfileKey, done: int, of: int) -> None:
        told.append(done)
        if len(told) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        calibrate([ProfileKey("numpy", 1, "float32")], tell=tell, quick=True)
    assert told == [0, 1, 2]


# ── pilots ──


def test_a_pilot_replaces_the_models_prediction_of_an_unchanged_form():
    profiles.keep(machine_profile())
    pilots = Pilots()
    with going(Watched(pilot=pilots, by_itself=True)) as predictor:
        assert until(lambda: predictor.state(DIGITS).prediction).pilot is None, "the model answers at once"
        before = predictor.stamp
        predictor.prepare(DIGITS)
        found = until(lambda: (one := predictor.state(DIGITS).prediction).pilot and one)
        assert found.step.likely == pytest.approx(1e-3)
        assert predictor.stamp != before
        predictor.prepare(replace(DIGITS, epochs=99))
        assert predictor.state(replace(DIGITS, epochs=99)).prediction.pilot, "epochs do not change a step"
        predictor.prepare(replace(DIGITS, batch_size=7))
        until(lambda: len(pilots.configs) == 2)


def test_a_keystroke_cancels_a_pilot():
    profiles.keep(machine_profile())
    pilots, lease = Pilots(waits=True), MachineLease()
    with going(Watched(lease, pilot=pilots, by_itself=True)) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: pilots.configs)
        assert lease.holder
        assert predictor.measuring
        predictor.prepare(replace(DIGITS, batch_size=7))
        assert pilots.ended.wait(10)
        assert predictor.state(DIGITS).prediction.pilot is None


def test_a_run_interrupts_a_pilot_which_is_repeated_later():
    profiles.keep(machine_profile())
    pilots, lease = Pilots(waits=True), MachineLease()
    with going(Watched(lease, pilot=pilots, by_itself=True)) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: pilots.configs)
        training = Claim("training", Priority.TRAINING)
        assert lease.acquire(training)
        assert pilots.ended.is_set()
        pilots._waits = False
        until(lambda: lease._waiting)
        assert predictor.state(DIGITS).prediction.pilot is None
        lease.release(training)
        until(lambda: predictor.state(DIGITS).prediction.pilot)


def test_a_failed_pilot_is_not_repeated():
    profiles.keep(machine_profile())
    pilots = Pilots(fails=MemoryNeeded("a step needs more"))
    with going(Watched(pilot=pilots, by_itself=True)) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: pilots.configs)
        predictor.look_again()
        assert len(pilots.configs) == 1
        assert predictor.state(DIGITS).prediction.pilot is None
        predictor.prepare(replace(DIGITS, layers=(10**6, 10**6, 10), dataset="teacher"))
        predictor.look_again()
        assert len(pilots.configs) == 1, "its step would take minutes"


def test_no_pilot_is_timed_if_measuring_is_disabled():
    profiles.keep(machine_profile())
    pilots = Pilots()
    with going(Watched(pilot=pilots, by_itself=False)) as predictor:
        predictor.prepare(DIGITS)
        predictor.look_again()
    assert pilots.configs == []


def test_a_disturbed_pilot_is_repeated_a_few_times():
    profiles.keep(machine_profile())
    calls: list[RunConfig] = []
    with going(Watched(pilot=lambda config, wanted: calls.append(config), by_itself=True)) as predictor:
        predictor.prepare(DIGITS)
        until(lambda: len(calls) == MAX_DISTURBED)
        predictor.look_again()
        assert len(calls) == MAX_DISTURBED
        assert predictor.state(DIGITS).prediction.pilot is None
