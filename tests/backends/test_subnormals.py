"""Subnormal numbers in the optimizer state: flushed and counted by default on every backend, or kept."""

import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.support.cuda_emulator import installed
from tuisim import RunConfig, Trainer, count
from tuisim.backends import registry, subnormals
from tuisim.backends.registry import Probe
from tuisim.config.choices import HYPERPARAMETERS, SMALLEST_NORMAL
from tuisim.errors import ConfigError
from tuisim.features.compare.bench import bench
from tuisim.predict import calibration_networks as design
from tuisim.program import Kind, Phase, build

BUFFERS = {
    "momentum": ("velocity",),
    "nesterov": ("velocity",),
    "rmsprop": ("square_average",),
    "adam": ("first_moment", "second_moment"),
    "adamw": ("first_moment", "second_moment"),
}
STEPS = 3


def config(**changes) -> RunConfig:
    fields = {"layers": (4, 3, 2), "loss": "mse", "optimizer": "momentum", "batch_size": 4, "validation": 0} | changes
    return RunConfig(**fields)


def dead_network(run: RunConfig) -> Trainer:
    """Return a trainer whose units are all dead, with optimizer state just above the smallest normal number."""
    parameters = [(np.zeros((n, m)), np.full(m, -1.0)) for n, m in pairwise(run.layers)]
    trainer = Trainer(replace(run, output_activation="relu"), (np.zeros((8, 4)), np.zeros((8, 2))), parameters)
    full = trainer._session.network.full
    for name in BUFFERS[run.optimizer]:
        values = np.full(full.program.buffers[name].shape, SMALLEST_NORMAL[run.dtype] * 1.0005)
        values[::2], values[1::4] = 1.0, 0.0
        full.write(name, -values if name in ("velocity", "first_moment") else values)
    return trainer


def decaying(run: RunConfig) -> int:
    """Return how many numbers fall below the smallest normal one in STEPS steps."""
    each = (config().parameter_count - 1) // 4 + ((config().parameter_count - 1) % 4 == 3)
    hyper = {"velocity": run.momentum, "square_average": run.rmsprop_decay, "first_moment": run.beta1, "second_moment": run.beta2}
    return sum(each for name in BUFFERS[run.optimizer] if 1.0005 * hyper[name] ** STEPS < 1)


def subnormal_values(trainer: Trainer) -> int:
    found = trainer._session.network.subnormal()
    assert found is not None
    return found


def check(run: RunConfig) -> None:
    trainer = dead_network(run)
    assert subnormal_values(trainer) == 0
    for _ in range(STEPS):
        trainer.step()
    expected = decaying(run)
    assert expected > 0
    if run.subnormals == "flush":
        assert (subnormal_values(trainer), trainer._session.network.flushed) == (0, expected)
    else:
        assert (subnormal_values(trainer), trainer._session.network.flushed) == (expected, None)


CASES = [(optimizer, dtype, rule) for optimizer in BUFFERS for dtype in SMALLEST_NORMAL for rule in ("flush", "keep")]


@pytest.mark.parametrize("backend", ["numpy", "scalar", "numba"])
@pytest.mark.parametrize(("optimizer", "dtype", "rule"), CASES)
def test_subnormal_state_is_flushed_and_counted_or_kept(backend, optimizer, dtype, rule):
    check(config(backend=backend, optimizer=optimizer, dtype=dtype, subnormals=rule))


@pytest.mark.parametrize(("optimizer", "dtype", "rule"), CASES)
def test_the_gpu_kernels_flush_and_count_alike(optimizer, dtype, rule, monkeypatch):
    with installed():
        monkeypatch.setitem(registry._found, "cupy", Probe("cupy", True, "14.2.0", "Emulated GPU"))
        check(config(backend="cupy", optimizer=optimizer, dtype=dtype, subnormals=rule))


@pytest.mark.parametrize("optimizer", BUFFERS)
@pytest.mark.parametrize("dtype", SMALLEST_NORMAL)
def test_numpy_flushes_by_comparison_if_the_processor_cannot(optimizer, dtype, monkeypatch):
    monkeypatch.setattr(subnormals, "available", lambda: False)
    check(config(optimizer=optimizer, dtype=dtype))


@pytest.mark.parametrize("backend", ["numpy", "scalar", "numba"])
def test_a_run_flushes_as_single_steps_do(backend):
    trainer = dead_network(config(backend=backend, epochs=2))
    summary = trainer.run()
    assert (summary.steps, summary.subnormal) == (4, 0)
    assert summary.flushed == decaying(config())
    assert summary.to_dict()["flushed"] == summary.flushed


@pytest.mark.parametrize("rule", ["flush", "keep"])
def test_an_optimizer_without_state_has_nothing_to_flush(rule):
    summary = Trainer(config(optimizer="sgd", subnormals=rule, epochs=1), data=(np.ones((8, 4)), np.ones((8, 2)))).run()
    assert (summary.flushed, summary.subnormal) == (None, None)


@pytest.mark.parametrize("available", [True, False])
def test_flushing_changes_no_bit_of_a_run_without_subnormal_numbers(available, monkeypatch):
    monkeypatch.setattr(subnormals, "available", lambda: available)
    for backend in ("numpy", "numba"):
        for optimizer in HYPERPARAMETERS:
            runs = [
                Trainer(config(backend=backend, optimizer=optimizer, subnormals=rule, dataset="teacher", examples=64, epochs=2))
                for rule in ("flush", "keep")
            ]
            for trainer in runs:
                trainer.run()
            for (w0, b0), (w1, b1) in zip(*(trainer.parameters() for trainer in runs), strict=True):
                assert np.array_equal(w0, w1), (backend, optimizer)
                assert np.array_equal(b0, b1), (backend, optimizer)


# ── the ledger ──


def test_the_ledger_counts_a_comparison_per_number_of_optimizer_state():
    for optimizer in HYPERPARAMETERS:
        flushed, kept = (count(config(optimizer=optimizer, subnormals=rule)) for rule in ("flush", "keep"))
        more = flushed.per_step[Phase.UPDATE].compare - kept.per_step[Phase.UPDATE].compare
        assert more == len(BUFFERS.get(optimizer, ())) * config().parameter_count
        assert flushed.step_total.total - kept.step_total.total == more
        assert flushed.bytes_per_step == kept.bytes_per_step
        assert not any(op.kind is Kind.FLUSH_SUBNORMALS for op in kept.program.ops)


def test_the_ledger_notes_how_adam_and_flushing_are_counted():
    assert count(config(optimizer="sgd")).notes == ()
    form, flushing = count(config(optimizer="adamw")).notes
    assert "one more division per parameter: 23 more" in form
    assert "comparison" in flushing


def test_subnormals_is_flush_or_keep():
    with pytest.raises(ConfigError, match="flush"):
        config(subnormals="sometimes")
    assert not build(config(subnormals="keep")).flushes


# ── the processor's bits ──


def half_of_the_smallest(dtype: str) -> float:
    return float((np.array([SMALLEST_NORMAL[dtype]] * 8, dtype) * np.array(0.5, dtype)).max())


@pytest.mark.skipif(not subnormals.available(), reason="this processor or C library cannot be told to flush")
@pytest.mark.parametrize("dtype", SMALLEST_NORMAL)
def test_the_processor_flushes_only_inside_the_context(dtype):
    flushing = subnormals.flushing(True)
    for _ in range(2):
        with flushing:
            assert half_of_the_smallest(dtype) == 0
        assert half_of_the_smallest(dtype) > 0
    with pytest.raises(KeyError), flushing:
        raise KeyError
    assert half_of_the_smallest(dtype) > 0
    with subnormals.flushing(False):
        assert half_of_the_smallest(dtype) > 0


@pytest.mark.skipif(not subnormals.available(), reason="this processor or C library cannot be told to flush")
def test_other_threads_are_not_affected():
    inside, checked, found = threading.Event(), threading.Event(), []

    def other() -> None:
        inside.wait()
        found.append(half_of_the_smallest("float32"))
        checked.set()

    thread = threading.Thread(target=other)
    thread.start()
    with subnormals.flushing(True):
        inside.set()
        checked.wait()
    thread.join()
    assert found[0] > 0


def test_the_floating_point_mode_is_restored_after_steps_and_runs():
    for backend in ("numpy", "numba"):
        trainer = dead_network(config(backend=backend, epochs=1))
        trainer.step()
        assert half_of_the_smallest("float32") > 0
        trainer.run()
        assert half_of_the_smallest("float32") > 0


class FakeLibrary:
    """A C library whose floating-point environment is a list of words."""

    def __init__(self, words: int) -> None:
        self.environment = [0x1F80] * words

    def fegetenv(self, room) -> int:
        room[: len(self.environment)] = self.environment
        return 0

    def fesetenv(self, room) -> int:
        self.environment = list(room[: len(self.environment)])
        return 0

    def fetestexcept(self, flags: int) -> int:
        return flags


@pytest.mark.parametrize("layout", subnormals.LAYOUTS.values(), ids=["-".join(one) for one in subnormals.LAYOUTS])
def test_each_layout_sets_its_own_bits_and_restores_them(layout):
    library = FakeLibrary(8)
    control = subnormals._Fenv(library, layout)
    before = list(library.environment)
    control.__enter__()
    changed = [place for place, (old, new) in enumerate(zip(before, library.environment, strict=True)) if old != new]
    assert changed == [layout.place]
    assert library.environment[layout.place] == 0x1F80 | layout.bits
    assert control.underflowed()
    control.__exit__()
    assert library.environment == before


def test_windows_sets_the_denormal_control_and_restores_it():
    class Library:
        word = 0x0009_001F

        @staticmethod
        def _controlfp(new: int, mask: int) -> int:
            Library.word = Library.word & ~mask | new & mask
            return Library.word

        @staticmethod
        def _statusfp() -> int:
            return 0x2

    class Callable:
        def __init__(self, function) -> None:
            self.function, self.restype = function, None

        def __call__(self, *args):
            return self.function(*args)

    library = type("Crt", (), {name: Callable(getattr(Library, name)) for name in ("_controlfp", "_statusfp")})()
    control = subnormals._Controlfp(library)
    before = Library.word
    control.__enter__()
    assert Library.word & 0x0300_0000 == 0x0100_0000
    assert control.underflowed()
    control.__exit__()
    assert Library.word == before


def test_a_control_without_effect_is_not_used():
    assert not subnormals.flushes(subnormals._Fenv(FakeLibrary(8), subnormals.LAYOUTS["linux", "x86_64"]))


@pytest.mark.parametrize("system", [("linux", "riscv64"), ("freebsd14", "amd64")])
def test_an_unknown_system_has_no_control(system, monkeypatch):
    monkeypatch.setattr(subnormals.sys, "platform", system[0])
    monkeypatch.setattr(subnormals.platform, "machine", lambda: system[1])
    assert subnormals._control() is None


def test_calibrations_comparisons_and_benchmarks_flush_as_configured():
    measured = [*design.networks("numpy", "float32", 1, 12, 10**5), *bench.CASES]
    assert {build(one, 1).flushes for one in measured} == {True}
    rule = {op.kind for one in measured for op in build(one, 1).ops}
    assert Kind.FLUSH_SUBNORMALS in rule
