"""A GPU that fails: out of memory, or an error of the driver, at every single call of a run; each ends in a message of one line.

The emulated GPU fails as planned.
"""

import gc
import json
import logging
import os
import threading
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from tests.support.gpu import BASE, data, emulated_gpu, network
from tuisim import RunConfig, Trainer
from tuisim.backends import choose, get_backend, registry
from tuisim.backends.registry import Probe
from tuisim.cli import main
from tuisim.engine import Worker
from tuisim.engine.events import State
from tuisim.engine.step_time import step_times
from tuisim.errors import BackendError, DeviceLost, MemoryNeeded, RunError, TuisimError
from tuisim.features.compare.entries import entries
from tuisim.features.compare.race.race import compare

SMALL = RunConfig(
    layers=(3, 4, 2), batch_size=4, dtype="float64", dataset="blobs", examples=6, epochs=1, backend="cupy", clip_norm=1.0
)


@pytest.fixture
def emulated(monkeypatch):
    with emulated_gpu(monkeypatch, 8 << 20, runs_kernels=False) as device:
        yield device


@pytest.fixture
def quick_collections():
    """Leave everything that exists before the test out of garbage collections."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def computing(monkeypatch):
    """An emulated GPU that runs its kernels."""
    with emulated_gpu(monkeypatch, 8 << 20) as device:
        yield device


def whole_run(config=SMALL):
    """Do all that a run does, with a short batch, validation, gradients and parameters; return the summary or the error."""
    try:
        trainer = Trainer(config)
        trainer.step()
        trainer.gradients()
        summary = trainer.run()
        trainer.parameters()
    except TuisimError as error:
        return error
    return summary


def calls_of_a_run(emulated):
    before = len(emulated.calls)
    assert said(whole_run()) is None
    return len(emulated.calls) - before


def said(found):
    """Return the message of a failed run, None if it was completed."""
    if isinstance(found, TuisimError):
        return str(found)
    assert found.ended in (State.COMPLETED, State.FAILED)
    return found.message if found.ended is State.FAILED else None


def live_bytes(emulated):
    gc.collect()
    return emulated.pool.used_bytes()


def test_out_of_memory_at_any_call_is_one_message_and_frees_all_memory(emulated, caplog, quick_collections):
    caplog.set_level(logging.CRITICAL, "tuisim")  # pytest keeps the tracebacks of logged errors, and they keep the arrays
    whole = calls_of_a_run(emulated)
    idle = live_bytes(emulated)
    assert whole > 100
    for n in range(1, whole + 1):
        emulated.fail_at(n, emulated.out_of_memory(123_456))
        found = whole_run()
        words = said(found)
        emulated.heal()
        assert words is not None or n > 0.9 * whole, "the kernels are compiled by now, so a run makes some calls less"
        if words is not None:
            assert "GPU's memory is full" in words
            assert "free" in words
            assert "\n" not in words
            assert isinstance(found, MemoryNeeded) or found.ended is State.FAILED
        del found
        assert live_bytes(emulated) == idle, f"after a failure at call {n}"
    assert calls_of_a_run(emulated) <= whole, "the same process trains on"


def test_a_lost_device_at_any_call_is_one_message_and_is_not_called_again(emulated, monkeypatch):
    whole = calls_of_a_run(emulated)
    for n in range(1, whole + 1):
        with emulated_gpu(monkeypatch, 8 << 20, runs_kernels=False) as other:
            other.fail_at(n, other.device_error(700), sticky=True)
            words = said(whole_run())
            assert words is not None
            assert "\n" not in words
            # Before the GPU is open nothing is lost.
            assert "restart tuisim" in words or (n < 20 and words.startswith("backend cupy: the GPU cannot be opened: cuda"))
            if "restart tuisim" in words:
                asked = len(other.calls)
                assert isinstance(whole_run(), DeviceLost)
                with pytest.raises(DeviceLost):
                    get_backend("cupy").device()
                assert len(other.calls) == asked, "a dead context is not touched again"


def test_a_caught_failure_holds_no_memory(emulated):
    """Its memory is free without a collection of cycles, for the smaller network that is tried next."""
    made = network(BASE)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            emulated.fail_at(20, emulated.out_of_memory(1))
            with pytest.raises(MemoryNeeded):
                network(replace(BASE, layers=(5, 60, 4)))
            emulated.heal()
        used = emulated.pool.used_bytes()
    finally:
        gc.enable()
    gc.collect()
    assert used == emulated.pool.used_bytes()
    assert len(made.full.run(np.arange(6))) == 1


def test_kernels_are_kept_in_memory_if_their_folder_is_read_only(emulated, monkeypatch):
    tried = []
    module = emulated.module.RawModule

    def stubborn(*given, **more):
        made = module(*given, **more)
        if not tried:
            tried.append(os.environ.get("CUPY_CACHE_IN_MEMORY"))
            made.compile = lambda: (_ for _ in ()).throw(PermissionError("read-only"))
        return made

    monkeypatch.delenv("CUPY_CACHE_IN_MEMORY", raising=False)
    monkeypatch.setattr(emulated.module, "RawModule", stubborn)
    assert said(whole_run()) is None
    assert tried == [None]
    assert os.environ["CUPY_CACHE_IN_MEMORY"] == "1"
    monkeypatch.delenv("CUPY_CACHE_IN_MEMORY")


def test_a_temporary_error_ends_one_run_and_not_the_next(emulated):
    whole = calls_of_a_run(emulated)
    for n in range(1, whole, 9):
        emulated.fail_at(n, emulated.device_error(1))
        words = said(whole_run())
        emulated.heal()
        assert words is None or "the GPU refused: cudaErrorInvalidValue" in words
        assert said(whole_run()) is None


def test_the_largest_that_fits_is_named_before_anything_is_allocated(emulated):
    config = replace(SMALL, layers=(64, 3000, 10), dataset="teacher", batch_size=100)
    before = emulated.calls.count("zeros")
    with pytest.raises(MemoryNeeded, match=r"are free on the GPU; .* would fit") as caught:
        Trainer(config)
    assert emulated.calls.count("zeros") == before
    assert "\n" not in str(caught.value)
    fitting = replace(SMALL, layers=(64, 30, 10), dataset="teacher", batch_size=100_000, examples=100_000)
    with pytest.raises(MemoryNeeded, match=r"batch [\d,]+ would fit"):
        Trainer(fitting)


def test_data_too_large_for_the_gpu_are_refused_with_a_remedy(emulated):
    words = said(whole_run(replace(SMALL, layers=(1000, 2, 2), dtype="float32", dataset="teacher", examples=3000)))
    assert "3,000 rows of data need 11.4 MiB of the GPU's memory" in words
    assert "fewer examples would fit" in words
    words = said(whole_run(replace(SMALL, layers=(1000, 2, 2), dtype="float32", dataset="teacher", examples=2000)))
    assert "of the GPU's memory" in words
    assert "; fewer examples would fit" in words, "it is the data that leave no room to evaluate in"


def test_memory_may_be_taken_by_others_after_the_check(emulated, monkeypatch):
    made = network(BASE)
    monkeypatch.setattr("tuisim.engine.memory_check.check", lambda *_: None)  # there was room when it was asked
    taken = emulated.pool.limit - emulated.pool.held
    import cupy

    hoard = cupy.zeros(taken - 4096, "uint8")
    with pytest.raises(MemoryNeeded, match="of the GPU's memory"):
        network(replace(BASE, layers=(5, 300, 4)))
    del hoard
    assert len(made.full.run(np.arange(12))) == 2, "who was there goes on"


def test_a_worker_with_a_lost_gpu_asks_for_a_restart(emulated):
    worker = Worker(replace(SMALL, epochs=None))
    worker.start()
    while worker.snapshot is None or worker.snapshot.step < 4:
        assert worker.is_alive
        threading.Event().wait(0.01)
    emulated.fail_at(1, emulated.device_error(719), sticky=True)
    assert worker.join(20)
    assert worker.run_failed is not None
    assert worker.run_failed.device_lost
    assert "cudaErrorLaunchFailure" in worker.run_failed.message


def test_the_command_line_prints_a_failure_in_one_line(emulated, capsys):
    flags = ["run", "3-4-2", "--dataset", "blobs", "--examples", "12", "--epochs", "1", "--backend", "cupy"]
    assert main(flags) == 0
    out = capsys.readouterr().out
    assert "cupy (Emulated GPU, CuPy 14.2.0, CUDA 12.9)" in out
    emulated.fail_at(60, emulated.device_error(700), sticky=True)
    assert main([*flags, "--json"]) == 5
    captured = capsys.readouterr()
    assert json.loads(captured.out)["ended"] == "failed" if captured.out else len(captured.err.splitlines()) == 1


# ── choice and comparison of backends ──


def test_auto_takes_the_gpu_for_large_matrix_products_only(emulated):
    large = RunConfig(layers=(784, 512, 512, 10), batch_size=128, backend="auto")
    assert choose(large).name == "cupy"
    assert "Emulated GPU" in choose(large).note
    assert choose(replace(large, layers=(30, 30, 30))).name != "cupy"


def test_auto_does_not_take_a_gpu_that_is_not_available(monkeypatch):
    monkeypatch.setattr(registry, "_found", registry._found | {"cupy": Probe("cupy", False, None, "", "not installed", "x")})
    assert choose(RunConfig(layers=(784, 512, 512, 10), batch_size=128, backend="auto")).name != "cupy"


def test_compare_reports_transfer_and_launch_times(computing):
    config = replace(SMALL, layers=(8, 8, 3), backend="numpy", threads=1)
    found = compare(config, entries("numpy@1,cupy"), 0.3)
    plain, gpu = found.rows
    assert plain.transfer_seconds is None
    assert plain.launch_microseconds is None
    assert gpu.transfer_seconds > 0
    costs = get_backend("cupy").costs  # no other test in this process has used the GPU
    assert gpu.launch_microseconds == pytest.approx(1e6 * costs.launch_seconds / costs.launched_steps)
    assert gpu.transfer_seconds == pytest.approx(costs.transfer_seconds)
    assert gpu.compile_seconds > 0
    assert gpu.same
    assert gpu.device.startswith("Emulated GPU")


def test_a_gpu_that_fails_during_a_race_is_listed_with_the_reason(emulated):
    config = replace(SMALL, layers=(8, 8, 3), backend="numpy", threads=1)
    emulated.fail_at(400, emulated.device_error(700), sticky=True)
    found = compare(config, entries("cupy,numpy@1,scalar"), 0.3)
    assert [row.name for row in found.rows] == ["numpy@1", "scalar"]
    assert "restart tuisim" in found.unavailable[0].reason


def test_data_handed_to_the_trainer_reach_the_gpu(computing):
    X, y = data(BASE, 30)
    trainers = [Trainer(replace(BASE, backend=name, epochs=2, validation=0.2), data=(X, y)) for name in ("cupy", "numpy")]
    summaries = [trainer.run().to_dict() for trainer in trainers]
    assert summaries[0]["loss"] == pytest.approx(summaries[1]["loss"], rel=1e-10)
    assert summaries[0]["validation_loss"] == pytest.approx(summaries[1]["validation_loss"], rel=1e-10)
    assert summaries[0]["operations"] == summaries[1]["operations"]


def test_a_gpu_that_cannot_be_opened_is_one_message_and_stops_no_other_backend(emulated, monkeypatch):
    def broken(*given, **more):
        raise AttributeError("module 'cupy.cuda' has no\nattribute of that name")

    monkeypatch.setattr(emulated.module.cuda, "Stream", broken)
    with pytest.raises(BackendError, match="backend cupy: the GPU cannot be opened: module"):
        Trainer(SMALL)
    found = {step.backend: step for step in step_times(RunConfig(layers=(4, 3, 2), loss="mse", batch_size=2))}
    assert "cannot be opened" in found["cupy"].reason
    assert found["numpy"].seconds > 0


def test_a_gpu_that_hangs_while_it_is_opened_is_lost_after_a_timeout(emulated, monkeypatch):
    gate, stream = threading.Event(), emulated.module.cuda.Stream
    devices = import_module("tuisim.backends.cupy.gpu_thread")
    monkeypatch.setattr(devices, "OPEN_SECONDS", 0.2)
    monkeypatch.setattr(emulated.module.cuda, "Stream", lambda *given, **more: gate.wait(30) and stream(*given, **more))
    for _ in range(2):
        with pytest.raises(DeviceLost, match=r"did not answer within 0\.2 s; restart tuisim"):
            Trainer(SMALL)
    gate.set()


def test_other_errors_of_cupy_are_one_message(emulated, monkeypatch):
    made = network(BASE)

    def full(*given, **more):
        raise OSError("No space\nleft on device")

    monkeypatch.setattr(type(made.full._buffers.order), "set", full)
    with pytest.raises(RunError, match="the GPU refused: No space left on device"):
        made.full.run(np.arange(6))
    monkeypatch.undo()


def test_a_gpu_that_fails_while_it_is_timed_does_not_stop_the_others(emulated):
    before = len(emulated.calls)
    Trainer(RunConfig(layers=(4, 3, 2), loss="mse", batch_size=2, backend="cupy")).step()
    # The number of timed steps depends on their time, the calls before the second one do not.
    emulated.fail_at(len(emulated.calls) - before, emulated.device_error(700), sticky=True)
    found = {step.backend: step for step in step_times(RunConfig(layers=(4, 3, 2), loss="mse", batch_size=2))}
    assert "restart tuisim" in found["cupy"].reason
    assert found["cupy"].seconds is None
    assert found["numpy"].seconds > 0


def test_a_library_that_exits_ends_only_its_call(emulated):
    device = import_module("tuisim.backends.cupy.gpu_thread").gpu_thread()

    def leave(opened):
        raise SystemExit("bye")

    with pytest.raises(RuntimeError, match="tried to end the program: bye"):
        device.do(leave)
    assert device.do(lambda opened: opened.name) == "Emulated GPU"


def test_an_error_of_our_own_is_not_reported_as_the_gpus(emulated):
    made = network(BASE)
    with pytest.raises(KeyError):
        made.full.read("no such buffer")
    emulated.fail_at(1, emulated.device_error(1))
    with pytest.raises(RunError, match="the GPU refused"):
        made.full.run(np.arange(6))
    assert len(made.full.run(np.arange(6))) == 1
