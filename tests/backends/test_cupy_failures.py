"""A GPU that fails: no memory left, or a driver's error, at every single call a run makes; each ends in one line of words.

On the stand-in alone, which can be told to fail.
"""

import gc
import json
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
def fake(monkeypatch):
    with emulated_gpu(monkeypatch, 8 << 20, runs_kernels=False) as standin:
        yield standin


@pytest.fixture
def computing(monkeypatch):
    """An emulated GPU that runs its kernels."""
    with emulated_gpu(monkeypatch, 8 << 20) as standin:
        yield standin


def whole_run(config=SMALL):
    """Everything a run does: set up, steps, a short batch, validation, gradients, parameters. How it ended, or what it raised."""
    try:
        trainer = Trainer(config)
        trainer.step()
        trainer.gradients()
        summary = trainer.run()
        trainer.parameters()
    except TuisimError as error:
        return error
    return summary


def calls_of_a_run(fake):
    before = fake.call_count
    assert said(whole_run()) is None
    return fake.call_count - before


def said(found):
    """The words of a failed run; none where it went on to its end."""
    if isinstance(found, TuisimError):
        return str(found)
    assert found.ended in (State.COMPLETED, State.FAILED)
    return found.message if found.ended is State.FAILED else None


def live_bytes(fake):
    gc.collect()
    return fake.pool.used_bytes()


def test_no_memory_at_any_call_is_words_and_all_of_it_is_given_back(fake):
    whole = calls_of_a_run(fake)
    idle = live_bytes(fake)
    assert whole > 100
    for n in range(1, whole + 1):
        fake.fail_at(n, fake.out_of_memory(123_456))
        found = whole_run()
        words = said(found)
        fake.heal()
        assert words is not None or n > 0.9 * whole, "the kernels are compiled by now, so a run makes some calls less"
        if words is not None:
            assert "GPU's memory is full" in words
            assert "free" in words
            assert "\n" not in words
            assert isinstance(found, MemoryNeeded) or found.ended is State.FAILED
        del found
        assert live_bytes(fake) == idle, f"after a failure at call {n}"
    assert calls_of_a_run(fake) <= whole, "the same process trains on"


def test_a_lost_device_at_any_call_is_said_and_never_asked_again(fake, monkeypatch):
    whole = calls_of_a_run(fake)
    for n in range(1, whole + 1):
        with emulated_gpu(monkeypatch, 8 << 20, runs_kernels=False) as other:
            other.fail_at(n, other.device_error(700), sticky=True)
            words = said(whole_run())
            assert words is not None
            assert "\n" not in words
            # Before the card is open nothing is lost yet.
            assert "restart tuisim" in words or (n < 20 and words.startswith("backend cupy: the GPU cannot be opened: cuda"))
            if "restart tuisim" in words:
                asked = other.call_count
                assert isinstance(whole_run(), DeviceLost)
                with pytest.raises(DeviceLost):
                    get_backend("cupy").device()
                assert other.call_count == asked, "a dead context is not touched again"


def test_what_failed_holds_nothing_once_it_is_caught(fake):
    """Without a collection of cycles: the smaller network that is tried next must find the memory."""
    made = network(BASE)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            fake.fail_at(20, fake.out_of_memory(1))
            with pytest.raises(MemoryNeeded):
                network(replace(BASE, layers=(5, 60, 4)))
            fake.heal()
        used = fake.pool.used_bytes()
    finally:
        gc.enable()
    gc.collect()
    assert used == fake.pool.used_bytes()
    assert len(made.full.run(np.arange(6))) == 1


def test_kernels_are_kept_in_memory_where_the_folder_for_them_takes_no_files(fake, monkeypatch):
    tried = []
    module = fake.module.RawModule

    def stubborn(*given, **more):
        made = module(*given, **more)
        if not tried:
            tried.append(os.environ.get("CUPY_CACHE_IN_MEMORY"))
            made.compile = lambda: (_ for _ in ()).throw(PermissionError("read-only"))
        return made

    monkeypatch.delenv("CUPY_CACHE_IN_MEMORY", raising=False)
    monkeypatch.setattr(fake.module, "RawModule", stubborn)
    assert said(whole_run()) is None
    assert tried == [None]
    assert os.environ["CUPY_CACHE_IN_MEMORY"] == "1"
    monkeypatch.delenv("CUPY_CACHE_IN_MEMORY")


def test_an_error_that_passes_ends_one_run_and_not_the_next(fake):
    whole = calls_of_a_run(fake)
    for n in range(1, whole, 9):
        fake.fail_at(n, fake.device_error(1))
        words = said(whole_run())
        fake.heal()
        assert words is None or "the GPU refused: cudaErrorInvalidValue" in words
        assert said(whole_run()) is None


def test_what_would_fit_is_said_before_anything_is_allocated(fake):
    config = replace(SMALL, layers=(64, 3000, 10), dataset="teacher", batch_size=100)
    before = fake.calls.count("zeros")
    with pytest.raises(MemoryNeeded, match=r"are free on the GPU; .* would fit") as caught:
        Trainer(config)
    assert fake.calls.count("zeros") == before
    assert "\n" not in str(caught.value)
    fitting = replace(SMALL, layers=(64, 30, 10), dataset="teacher", batch_size=100_000, examples=100_000)
    with pytest.raises(MemoryNeeded, match=r"batch [\d,]+ would fit"):
        Trainer(fitting)


def test_data_too_large_for_the_card_are_refused_with_what_would_fit(fake):
    words = said(whole_run(replace(SMALL, layers=(1000, 2, 2), dtype="float32", dataset="teacher", examples=3000)))
    assert "3,000 rows of data need 11.4 MiB of the GPU's memory" in words
    assert "fewer examples would fit" in words
    words = said(whole_run(replace(SMALL, layers=(1000, 2, 2), dtype="float32", dataset="teacher", examples=2000)))
    assert "of the GPU's memory" in words
    assert "; fewer examples would fit" in words, "it is the data that leave no room to evaluate in"


def test_others_may_take_the_memory_between_the_question_and_the_answer(fake, monkeypatch):
    made = network(BASE)
    monkeypatch.setattr("tuisim.engine.memory_check.check", lambda *_: None)  # there was room when it was asked
    taken = fake.pool.limit - fake.pool.held
    import cupy

    hoard = cupy.zeros(taken - 4096, "uint8")
    with pytest.raises(MemoryNeeded, match="of the GPU's memory"):
        network(replace(BASE, layers=(5, 300, 4)))
    del hoard
    assert len(made.full.run(np.arange(12))) == 2, "who was there goes on"


def test_a_worker_whose_gpu_is_lost_says_that_only_a_new_process_helps(fake):
    worker = Worker(replace(SMALL, epochs=None))
    worker.start()
    while worker.snapshot is None or worker.snapshot.step < 4:
        assert worker.alive
        threading.Event().wait(0.01)
    fake.fail_at(1, fake.device_error(719), sticky=True)
    assert worker.join(20)
    assert worker.failure is not None
    assert worker.failure.device_lost
    assert "cudaErrorLaunchFailure" in worker.failure.message


def test_the_command_line_says_it_in_one_line(fake, capsys):
    flags = ["run", "3-4-2", "--dataset", "blobs", "--examples", "12", "--epochs", "1", "--backend", "cupy"]
    assert main(flags) == 0
    out = capsys.readouterr().out
    assert "cupy (Stand-in GPU, CuPy 14.2.0, CUDA 12.9)" in out
    fake.fail_at(60, fake.device_error(700), sticky=True)
    assert main([*flags, "--json"]) == 5
    captured = capsys.readouterr()
    assert json.loads(captured.out)["ended"] == "failed" if captured.out else len(captured.err.splitlines()) == 1


# ── who is chosen, and who is beside whom ──


def test_auto_takes_the_card_for_large_products_alone(fake):
    large = RunConfig(layers=(784, 512, 512, 10), batch_size=128, backend="auto")
    assert choose(large).name == "cupy"
    assert "Stand-in GPU" in choose(large).note
    assert choose(replace(large, layers=(30, 30, 30))).name != "cupy"


def test_without_a_card_auto_does_without_it(monkeypatch):
    monkeypatch.setattr(registry, "_found", registry._found | {"cupy": Probe("cupy", False, None, "", "not installed", "x")})
    assert choose(RunConfig(layers=(784, 512, 512, 10), batch_size=128, backend="auto")).name != "cupy"


def test_compare_sets_copying_and_launching_apart(computing):
    config = replace(SMALL, layers=(8, 8, 3), backend="numpy", threads=1)
    found = compare(config, entries("numpy@1,cupy"), 0.3)
    plain, card = found.rows
    assert plain.transfer_seconds is None
    assert plain.launch_microseconds is None
    assert card.transfer_seconds > 0
    costs = get_backend("cupy").costs  # nobody else in this process had the card
    assert card.launch_microseconds == pytest.approx(1e6 * costs.launch_seconds / costs.launched_steps)
    assert card.transfer_seconds == pytest.approx(costs.transfer_seconds)
    assert card.compile_seconds > 0
    assert card.same
    assert card.device.startswith("Stand-in GPU")


def test_a_card_that_fails_in_the_middle_is_a_row_with_its_reason(fake):
    config = replace(SMALL, layers=(8, 8, 3), backend="numpy", threads=1)
    fake.fail_at(400, fake.device_error(700), sticky=True)
    found = compare(config, entries("cupy,numpy@1,scalar"), 0.3)
    assert [row.name for row in found.rows] == ["numpy@1", "scalar"]
    assert "restart tuisim" in found.unavailable[0].reason


def test_data_of_its_own_reach_the_card_too(computing):
    X, y = data(BASE, 30)
    trainers = [Trainer(replace(BASE, backend=name, epochs=2, validation=0.2), data=(X, y)) for name in ("cupy", "numpy")]
    summaries = [trainer.run().to_dict() for trainer in trainers]
    assert summaries[0]["loss"] == pytest.approx(summaries[1]["loss"], rel=1e-10)
    assert summaries[0]["validation_loss"] == pytest.approx(summaries[1]["validation_loss"], rel=1e-10)
    assert summaries[0]["operations"] == summaries[1]["operations"]


def test_a_card_that_cannot_be_opened_is_one_line_and_ends_nothing_else(fake, monkeypatch):
    def broken(*given, **more):
        raise AttributeError("module 'cupy.cuda' has no\nattribute of that name")

    monkeypatch.setattr(fake.module.cuda, "Stream", broken)
    with pytest.raises(BackendError, match="backend cupy: the GPU cannot be opened: module"):
        Trainer(SMALL)
    found = {step.backend: step for step in step_times(RunConfig(layers=(4, 3, 2), loss="mse", batch_size=2))}
    assert "cannot be opened" in found["cupy"].reason
    assert found["numpy"].seconds > 0


def test_a_card_that_hangs_while_it_is_opened_is_lost_after_a_while(fake, monkeypatch):
    gate, stream = threading.Event(), fake.module.cuda.Stream
    devices = import_module("tuisim.backends.cupy.gpu_thread")
    monkeypatch.setattr(devices, "OPEN_SECONDS", 0.2)
    monkeypatch.setattr(fake.module.cuda, "Stream", lambda *given, **more: gate.wait(30) and stream(*given, **more))
    for _ in range(2):
        with pytest.raises(DeviceLost, match=r"did not answer within 0\.2 s; restart tuisim"):
            Trainer(SMALL)
    gate.set()


def test_what_cupy_raises_besides_is_one_line_too(fake, monkeypatch):
    made = network(BASE)

    def full(*given, **more):
        raise OSError("No space\nleft on device")

    monkeypatch.setattr(type(made.full._buffers.order), "set", full)
    with pytest.raises(RunError, match="the GPU refused: No space left on device"):
        made.full.run(np.arange(6))
    monkeypatch.undo()


def test_a_card_that_fails_while_it_is_timed_leaves_the_others_their_times(fake):
    before = fake.call_count
    Trainer(RunConfig(layers=(4, 3, 2), loss="mse", batch_size=2, backend="cupy")).step()
    # How many steps are timed depends on how long they take; what comes before the second of them does not.
    fake.fail_at(fake.call_count - before, fake.device_error(700), sticky=True)
    found = {step.backend: step for step in step_times(RunConfig(layers=(4, 3, 2), loss="mse", batch_size=2))}
    assert "restart tuisim" in found["cupy"].reason
    assert found["cupy"].seconds is None
    assert found["numpy"].seconds > 0


def test_what_a_library_asks_of_its_thread_ends_nobody_else(fake):
    device = import_module("tuisim.backends.cupy.gpu_thread").gpu_thread()

    def leave(card):
        raise SystemExit("bye")

    with pytest.raises(RuntimeError, match="asked to end the program: bye"):
        device.do(leave)
    assert device.do(lambda card: card.name) == "Stand-in GPU"


def test_a_failure_that_is_ours_is_not_the_cards(fake):
    made = network(BASE)
    with pytest.raises(KeyError):
        made.full.read("no such buffer")
    fake.fail_at(1, fake.device_error(1))
    with pytest.raises(RunError, match="the GPU refused"):
        made.full.run(np.arange(6))
    assert len(made.full.run(np.arange(6))) == 1
