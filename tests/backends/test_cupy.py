"""The CuPy backend on an emulated GPU, which runs the very kernels and checks each access, and on a real one if there is one.

`python -m tests.gpu` runs the tests named `on_a_gpu` on a real one.
"""

import os
import re
import threading
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tests.support.gpu import BASE, data, emulated_gpu, network
from tests.support.recorded import CASES, check_recorded
from tuisim import RunConfig, Trainer
from tuisim.backends import get_backend, probe
from tuisim.config.choices import ACTIVATIONS, LOSSES, OPTIMIZERS
from tuisim.engine.network import Network
from tuisim.predict import calibrate
from tuisim.predict import run_costs as runcosts
from tuisim.program import Kind, build


@pytest.fixture(params=["emulated", "real"])
def gpu(request, monkeypatch):
    """A GPU to compute on: the emulated one, or the real one where it works."""
    demanded = bool(os.environ.get("TUISIM_GPU"))
    if request.param == "emulated":
        if demanded:
            pytest.skip("a real GPU was asked for")
        with emulated_gpu(monkeypatch) as device:
            yield device
        return
    found = probe("cupy")
    if not found.available:
        (pytest.fail if demanded else pytest.skip)(found.why_not)
    yield None


@pytest.fixture
def emulated(monkeypatch):
    with emulated_gpu(monkeypatch) as device:
        yield device


def close(ours, theirs, rtol=1e-10):
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-13)


def alike(config, steps=6, rows=40, rtol=1e-10):
    """Compare the same steps on NumPy and on the GPU: losses, gradients, parameters and the optimizer's state."""
    ours, theirs = (network(config, rows, backend) for backend in ("cupy", "numpy"))
    order = np.random.default_rng(1).permutation(np.arange(steps * config.batch_size) % rows)
    close(ours.full.run(order), theirs.full.run(order), rtol)
    state = ("velocity", "square_average", "first_moment", "second_moment", "squares", "clip_factor")
    for name in ("parameters", "gradients", *(name for name in state if name in theirs.full.program.buffers)):
        close(ours.full.read(name), theirs.full.read(name), rtol)
    return ours, theirs


# ── the same numbers ──


@pytest.mark.parametrize(
    ("optimizer", "buffer"), [("momentum", "velocity"), ("rmsprop", "square_average"), ("adam", "first_moment")]
)
def test_subnormals_are_flushed_and_counted_as_on_numpy_on_a_gpu(gpu, optimizer, buffer):
    config = replace(BASE, optimizer=optimizer, hidden_activation="relu", output_activation="relu", loss="mse")
    made = [network(config, backend=backend) for backend in ("cupy", "numpy")]
    values = np.full(config.parameter_count, np.finfo(config.dtype).tiny * 1.0005)
    values[::3] = 0.0
    for one in made:
        for layer in (1, 2):  # dead units: no gradient
            one.full.write(f"b{layer}", np.full(config.layers[layer], -1e9))
        one.full.write(buffer, values)
        one.full.run(np.arange(2 * config.batch_size))
    assert [one.flushed for one in made] == [np.count_nonzero(values)] * 2
    assert [one.subnormal() for one in made] == [0, 0]


def test_a_part_of_a_buffer_is_read_on_a_gpu(gpu):
    ours, theirs = alike(BASE)
    for name, at in (("W1", (slice(None), 1)), ("W1", (2, 1)), ("b1", 0), ("parameters", 3), ("W2", 1)):
        close(ours.full.read(name, at), theirs.full.read(name, at))


@pytest.mark.parametrize("number", CASES)
def test_recorded_runs_on_a_gpu(gpu, number):
    check_recorded(number, "cupy")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_and_losses_on_a_gpu(gpu, activation, loss):
    alike(replace(BASE, hidden_activation=activation, output_activation=activation, loss=loss, learning_rate=0.05))


MORE = (
    {},
    {"weight_decay": 0.01},
    {"clip_norm": 0.5},
    {"clip_norm": 0.5, "weight_decay": 0.01},
    {"schedule": "cosine", "schedule_steps": 5, "warmup_steps": 2, "weight_decay": 0.1},
)


@pytest.mark.parametrize("more", MORE, ids=str)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_on_a_gpu(gpu, optimizer, more):
    alike(replace(BASE, optimizer=optimizer, **more))


@pytest.mark.parametrize(
    ("layers", "batch"), [((3, 2), 1), ((40, 70, 33), 130), ((1, 1, 1), 3), ((9, 65, 2, 31, 6), 37), ((300, 2), 2)], ids=str
)
@pytest.mark.parametrize("loss", LOSSES)
def test_shapes_that_do_not_fill_a_tile_on_a_gpu(gpu, layers, batch, loss):
    alike(RunConfig(layers=layers, batch_size=batch, loss=loss, dtype="float64", learning_rate=0.05), steps=3, rows=2 * batch)


@pytest.mark.parametrize("loss", LOSSES)
def test_single_precision_is_near_double_on_a_gpu(gpu, loss):
    config = replace(BASE, loss=loss, dtype="float32", hidden_activation="gelu")
    ours, theirs = network(config), network(replace(config, dtype="float64"), backend="numpy")
    order = np.arange(36)
    close(ours.full.run(order), theirs.full.run(order), 1e-5)
    np.testing.assert_allclose(ours.full.read("parameters"), theirs.full.read("parameters"), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rows", [1, 5, 33])
def test_evaluation_on_a_gpu(gpu, loss, rows):
    config = replace(BASE, loss=loss).resolved()
    X, y = data(config, 40, seed=3)
    ours, theirs = (network(config, backend=backend) for backend in ("cupy", "numpy"))
    evaluations = [one.evaluation(X, y, rows) for one in (ours, theirs)]
    found, wanted = (step.evaluate(np.arange(3, 3 + rows)) for step in evaluations)
    assert found == pytest.approx(wanted, rel=1e-12)
    close(*(step.read("z2") for step in evaluations))
    assert ours.evaluate(X, y) == pytest.approx(theirs.evaluate(X, y), rel=1e-12)


def test_the_loss_of_equal_outputs_on_a_gpu(gpu):
    config = replace(BASE, layers=(3, 40), output_activation="relu").resolved()
    X, y = np.ones((8, 3)), np.array([0, 1, 2, 39, 0, 0, 5, 0])
    made = network(config, values=(X, y))
    made.full.write("parameters", -np.ones_like(made.full.read("parameters")))  # every output 0
    assert made.evaluate(X, y) == pytest.approx(np.log(40))


def test_a_run_repeats_bit_for_bit_on_a_gpu(gpu):
    found = []
    for _ in range(2):
        trainer = Trainer(replace(BASE, layers=(64, 32, 10), backend="cupy", optimizer="adam", epochs=1, examples=200))
        trainer.run()
        found.append(np.concatenate([part.ravel() for pair in trainer.parameters() for part in pair]))
    assert (found[0] == found[1]).all()


def test_a_changed_learning_rate_keeps_the_step_count_of_adam_on_a_gpu(gpu):
    ours, theirs = alike(replace(BASE, optimizer="adamw", weight_decay=0.1))
    for made in (ours, theirs):
        made.set_learning_rate(0.02)
    order = np.arange(36)
    close(ours.full.run(order), theirs.full.run(order))
    close(ours.full.read("parameters"), theirs.full.read("parameters"))


# ── what it costs ──


def test_a_calibration_measures_copies_and_prices_on_a_gpu(gpu, monkeypatch):
    monkeypatch.setattr(calibrate, "FEW", 4)
    monkeypatch.setattr(calibrate, "MANY", 4)
    monkeypatch.setattr(calibrate, "MAX_PRODUCTS_ELSEWHERE", 300)
    for name, value in (("SHORT_EPOCHS", 2), ("LONG_EPOCHS", 1), ("FEW", 64), ("MANY", 64), ("RUNS", 1)):
        monkeypatch.setattr(runcosts, name, value)
    (entry,) = calibrate.calibrate([calibrate.ProfileKey("cupy", 1, "float32")]).entries
    assert entry.copy_rate > 0
    assert "activation relu" not in entry.prices.kinds, "it is fused with the bias"
    assert entry.prices.step(build(BASE.resolved())) > 0


# ── one step at a time ──


def test_a_step_timed_by_operation_trains_like_any_other_on_a_gpu(gpu):
    ours, theirs = (network(BASE, backend=backend) for backend in ("cupy", "numpy"))
    loss, seconds = ours.full.run_by_operation(np.arange(6))
    close([loss], theirs.full.run(np.arange(6)))
    close(ours.full.read("parameters"), theirs.full.read("parameters"))
    spent = dict(zip(ours.full.program.ops, seconds, strict=True))
    done_on_the_way = {op.kind for op, one in spent.items() if one == 0.0}
    assert done_on_the_way <= {Kind.ACTIVATION, Kind.BIAS_GRADIENT, Kind.BIAS_CORRECTION, Kind.WEIGHT_DECAY}
    assert sum(seconds) > 0


def test_a_step_timed_by_phase_trains_like_any_other_on_a_gpu(gpu):
    ours, theirs = (network(BASE, backend=backend) for backend in ("cupy", "numpy"))
    loss, phases = ours.full.run_timed(np.arange(6))
    assert loss == pytest.approx(theirs.full.run(np.arange(6))[0], rel=1e-12)
    close(ours.full.read("parameters"), theirs.full.read("parameters"))
    assert [phase.value for phase in phases] == ["data", "forward", "loss", "backward", "update"]
    assert all(seconds >= 0 for seconds in phases.values())


def test_gradients_and_short_batches_through_the_trainer_on_a_gpu(gpu):
    config = replace(BASE, validation=0, examples=20, epochs=2, shuffle=False)
    trainers = [Trainer(replace(config, backend=name), data=data(BASE, 20)) for name in ("cupy", "numpy")]
    for _ in range(5):  # three full batches and one of two
        losses = [trainer.step() for trainer in trainers]
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    for ours, theirs in zip(*(trainer.gradients() for trainer in trainers), strict=True):
        close(ours[0], theirs[0])
        close(ours[1], theirs[1])


# ── a loss that is not a number ──


def test_a_diverged_run_keeps_the_state_of_its_last_good_step_on_a_gpu(gpu):
    """It stops within a chunk: with the gradient and the parameters of the step before, and the activations of the last step."""
    for activation in ("relu", "identity"):
        config = replace(BASE, hidden_activation=activation, loss="mse", learning_rate=1e40, epochs=1)
        ours, theirs = (network(config, backend=backend) for backend in ("cupy", "numpy"))
        order = np.arange(36)
        losses, wanted = ours.full.run(order), theirs.full.run(order)
        assert len(losses) == len(wanted) < 6
        assert not np.isfinite(losses[-1])
        close(losses[:-1], wanted[:-1])
        for name in ("parameters", "gradients", "z1", "z2"):
            np.testing.assert_allclose(ours.full.read(name), theirs.full.read(name), rtol=1e-9)
        assert ours.locate_divergence(ours.full, len(losses)) == theirs.locate_divergence(theirs.full, len(wanted))
        assert not np.isfinite(ours.full.run_timed(np.arange(6))[0])
        assert ours.full.run_by_operation(np.arange(6))[1] == []
        ours.full.write("parameters", np.zeros(ours.full.read("parameters").shape))
        assert np.isfinite(ours.full.run(np.arange(6))).all(), "and it can go on from somewhere else"


@pytest.mark.parametrize("rate", [1e20, 1e30, 1e38])
@pytest.mark.parametrize("layers", [(5, 7, 4), (5, 7, 6, 4)], ids=str)
def test_infinite_activations_of_one_layer_do_not_spoil_gradients_on_a_gpu(gpu, layers, rate):
    """The layer below may hold inf where the loss fails, and 0·inf is NaN."""
    config = replace(BASE, layers=layers, dtype="float32", loss="mse", learning_rate=rate)
    ours, theirs = (network(config, backend=backend) for backend in ("cupy", "numpy"))
    losses, wanted = (one.full.run(np.arange(36)) for one in (ours, theirs))
    assert len(losses) == len(wanted) < 6
    assert ours.locate_divergence(ours.full, len(losses)) == theirs.locate_divergence(theirs.full, len(wanted))
    for name in ("gradients", "parameters"):
        np.testing.assert_allclose(ours.full.read(name), theirs.full.read(name), rtol=1e-4)
    again = [one.full.run(np.arange(6)) for one in (ours, theirs)]
    np.testing.assert_allclose(*again, rtol=1e-4)


def test_data_that_are_not_finite_stop_a_run_as_on_numpy_on_a_gpu(gpu):
    config = replace(BASE, loss="mse").resolved()
    X, y = data(config, 40)
    X[13, 2] = np.inf
    ours, theirs = (network(config, backend=backend, values=(X, y)) for backend in ("cupy", "numpy"))
    losses, wanted = (one.full.run(np.arange(36)) for one in (ours, theirs))
    assert len(losses) == len(wanted) == 3
    close(ours.full.read("gradients"), theirs.full.read("gradients"))
    assert ours.locate_divergence(ours.full, 3) == theirs.locate_divergence(theirs.full, 3)
    assert not np.isfinite(ours.full.evaluate(np.arange(12, 18)))
    close(ours.full.run(np.arange(18, 36)), theirs.full.run(np.arange(18, 36)))


def test_a_diverging_run_ends_as_diverged_on_a_gpu(gpu):
    summary = Trainer(replace(BASE, layers=(64, 32, 10), loss="mse", backend="cupy", learning_rate=1e30, epochs=3)).run()
    assert summary.to_dict()["ended"] == "diverged"
    assert "became non-finite at step" in summary.to_dict()["message"]


# ── what the host does meanwhile ──


def test_a_chunk_neither_synchronizes_nor_allocates(emulated):
    made = network(BASE)
    made.full.run(np.arange(36))
    waits, calls = [], []
    for steps in (2, 6):
        before, first = emulated.synchronisations, len(emulated.calls)
        made.full.run(np.arange(6 * steps))
        waits.append(emulated.synchronisations - before)
        calls.append(emulated.calls[first:])
    assert waits == [1, 1], "the losses are read once, however many steps there are"
    assert not {"zeros", "empty", "RawModule", "get_function"} & {name for found in calls for name in found}
    kernels = [name for name in calls[1] if name.startswith("launch") or name.endswith("gemm")]
    assert len(kernels) == 6 * len(kernels[: kernels.index("launch:sgd") + 1])


def test_one_thread_makes_all_calls_to_the_gpu(emulated):
    made = network(BASE)
    others = [threading.Thread(target=lambda: made.full.run(np.arange(12))) for _ in range(3)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    made.parameters()
    assert len(emulated.threads) == 1
    assert threading.get_ident() not in emulated.threads


def test_several_threads_may_make_the_first_call_at_once(emulated):
    device = import_module("tuisim.backends.cupy.gpu_thread").GpuThread()
    found, gate = [], threading.Barrier(4)

    def ask():
        gate.wait()
        found.append(device.do(lambda gpu: gpu.name))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Emulated GPU"] * 4
    assert len(emulated.threads) == 1


def test_a_learning_rate_set_during_a_chunk_is_not_lost(emulated, monkeypatch):
    made, wanted = network(BASE), network(BASE, backend="numpy")
    scalars = made.full._scalars
    ahead = scalars.ahead

    def ahead_and_a_new_rate(steps):
        values = ahead(steps)
        scalars.set_learning_rate(0.5)
        return values

    monkeypatch.setattr(scalars, "ahead", ahead_and_a_new_rate)
    made.full.run(np.arange(12))
    monkeypatch.undo()
    wanted.full.run(np.arange(12))
    wanted.set_learning_rate(0.5)
    for one in (made, wanted):
        one.full.run(np.arange(12, 24))
    close(made.full.read("parameters"), wanted.full.read("parameters"))


def test_older_data_on_the_gpu_are_freed_for_new_ones(monkeypatch):
    with emulated_gpu(monkeypatch, 4 << 20) as emulated:
        config = replace(BASE, layers=(100, 4, 3)).resolved()
        made = network(config, rows=12)
        for seed in range(6):  # 0.8 MB each
            X, y = data(config, 1000, seed)
            for array in (X, y):
                array.flags.writeable = False
            made.attach(X, y)
            assert len(made.full.run(np.arange(12))) == 2
        assert emulated.pool.used_bytes() < 4 << 20


def test_data_are_copied_once_unless_they_are_writable(emulated):
    config = replace(BASE, loss="mse").resolved()
    X, y = data(config, 40)
    made = network(config, values=(X, y))
    for array in (X, y):
        array.flags.writeable = False
    counts = []
    for _ in range(3):
        before = emulated.calls.count("set")
        made.evaluation(X, y, 6)
        counts.append(emulated.calls.count("set") - before)
    assert counts == [2, 0, 0]
    costs = get_backend("cupy").costs
    assert costs.transfer_bytes == 2 * (X.nbytes + y.nbytes)
    assert costs.transfer_seconds > 0
    mutable = X.copy()
    step = made.evaluation(mutable, y, 6)
    first = step.evaluate(np.arange(6))
    mutable *= 2
    made.evaluation(mutable, y, 6)
    assert step.evaluate(np.arange(6)) != first


def test_more_steps_than_one_chunk_holds_run_in_several(emulated, monkeypatch):
    monkeypatch.setattr(import_module("tuisim.backends.cupy.buffers"), "MAX_STEPS", 4)
    alike(replace(BASE, optimizer="adam", schedule="step", schedule_steps=3), steps=11)


def test_costs_and_peak_rates_are_measured_on_a_gpu(gpu):
    from tuisim.measure import peaks

    backend = get_backend("cupy")
    made = network(replace(BASE, dtype="float32"))
    before = backend.costs
    made.full.run(np.arange(36))
    assert backend.costs.launched_steps == before.launched_steps + 6
    assert backend.costs.launch_seconds > before.launch_seconds
    assert backend.compile_seconds > 0
    found = backend.peak_rates("float32")
    assert found.flops_per_second > 0
    assert found.bytes_per_second > 0
    assert found.device == backend.device()
    peaks._on_devices.clear()
    assert peaks.peaks_of(backend, "float32", 1).blas is None
    assert peaks.peaks_of(get_backend("numpy"), "float32", 1).blas is not None
    peaks._on_devices.clear()


# ── the protocol's mistakes ──


def test_data_that_do_not_match_the_program_are_refused(emulated):
    made = Network(BASE.resolved(), get_backend("cupy"), 6)
    with pytest.raises(RuntimeError, match="attach the data"):
        made.full.run(np.arange(6))
    X, y = data(BASE.resolved(), 12)
    with pytest.raises(ValueError, match="for buffers"):
        made.full.attach(X[:, :3], y)
    with pytest.raises(TypeError, match="float32 and int64"):
        made.full.attach(X.astype("float32"), y)
    with pytest.raises(ValueError, match="12 rows of inputs and 11"):
        made.full.attach(X, y[:11])
    made.attach(X, y)
    with pytest.raises(ValueError, match="not a multiple of the batch"):
        made.full.run(np.arange(7))
    with pytest.raises(TypeError, match="share"):
        get_backend("cupy").bind(made.full.program, share=get_backend("numpy").bind(made.full.program))


KERNELS: dict[Kind, tuple[str, ...]] = {
    Kind.GATHER: ("gather", "gather_classes"),
    Kind.DENSE: ("matmul", "bias_activation"),
    Kind.ACTIVATION: ("bias_activation",),
    Kind.MSE: ("mse", "finish_loss"),
    Kind.CROSS_ENTROPY: ("cross_entropy", "finish_loss"),
    Kind.BINARY_CROSS_ENTROPY: ("binary_cross_entropy", "finish_loss"),
    Kind.ACTIVATION_GRADIENT: ("activation_gradient",),
    Kind.WEIGHT_GRADIENT: ("matmul",),
    Kind.BIAS_GRADIENT: ("activation_gradient", "bias_gradients"),
    Kind.INPUT_GRADIENT: ("matmul",),
    Kind.GRADIENT_SQUARES: ("gradient_squares",),
    Kind.CLIP_FACTOR: ("clip_factor",),
    Kind.CLIP: ("followed",),
    Kind.WEIGHT_DECAY: ("followed",),
    Kind.SCHEDULED_RATE: ("scalars",),
    Kind.DECAY_FACTOR: ("scalars",),
    Kind.BIAS_CORRECTION: ("scalars",),
    Kind.DECOUPLED_DECAY: ("adam",),
    Kind.SGD: ("sgd",),
    Kind.MOMENTUM: ("momentum",),
    Kind.NESTEROV: ("momentum",),
    Kind.RMSPROP: ("rmsprop",),
    Kind.ADAM: ("adam",),
    Kind.FLUSH_SUBNORMALS: ("written",),
}
"""The kernels of each kind of operation: functions of `step.cu`, `matmul` of cuBLAS, or `scalars` computed on the host."""


def test_every_kind_of_operation_has_a_kernel(emulated):
    launches = import_module("tuisim.backends.cupy.launches")
    assert set(KERNELS) == set(Kind)
    source = (Path(launches.__file__).parent / "step.cu").read_text(encoding="utf-8")
    functions = set(re.findall(r"(?:__global__ void|__device__ \w+) (\w+)\(", source))
    assert {name for names in KERNELS.values() for name in names} <= functions | {"matmul", "scalars"}


def test_a_state_is_restored_bit_for_bit_on_a_gpu(gpu):
    config = replace(BASE, optimizer="adam", learning_rate=0.01, schedule="cosine", epochs=3, examples=40)
    trained = network(config, 40, "cupy")
    order = np.arange(40).repeat(2)[: 5 * config.batch_size]
    trained.full.run(order)
    arrays, scalars = trained.state()
    losses = trained.full.run(order)
    expected = trained.state()
    trained.set_learning_rate(0.5)
    trained.full.run(order)
    trained.restore(arrays, scalars)
    assert trained.full.run(order) == losses
    found = trained.state()
    assert found[1] == expected[1]
    assert all(np.array_equal(found[0][name], expected[0][name]) for name in expected[0])
