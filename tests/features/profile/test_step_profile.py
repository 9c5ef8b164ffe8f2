"""The profile of a step: times, advice and place under the roofs of each operation, the document, the command, the job."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.support.made_profile import NET, PEAKS, ROOFS, made_profile, one_of
from tests.support.provenance import unmarked
from tuisim import RunConfig, count
from tuisim.engine import benchmark_case
from tuisim.engine.job import Job
from tuisim.errors import BackendError, ConfigError, ExitCode, RunError
from tuisim.features.profile import command, step_profile
from tuisim.features.profile.bottleneck import Bottleneck, advice, beyond_call, bottleneck
from tuisim.features.profile.roofline import Bound, Dot, Roofs, roofline
from tuisim.features.profile.screen import ProfileScreen
from tuisim.features.profile.step_profile import StepProfile, profile_step
from tuisim.predict.work import PRODUCTS
from tuisim.program import Kind, Phase
from tuisim.provenance import Provenance
from tuisim.tui.context import PageContext

SMALL = RunConfig(layers=(5, 4, 3), batch_size=8, threads=1)
OPERATIONS = len(count(SMALL).program.ops)


class ScriptedCase:
    """A benchmark case with given times: whole steps of 50 µs, operations of 1, 2, 3 … µs, or of 1 µs each if every size is 1."""

    rounds = 4
    single = 5e-5
    device = "told ×1"

    def __init__(self, config: RunConfig, batch: int) -> None:
        self.config, self.batch = config, batch
        self.smallest = set(config.layers) == {1}
        self._whole = iter((50e-6, 90e-6, 40e-6, 50e-6))

    def timed(self) -> float:
        return next(self._whole)

    def by_operation(self) -> list[float]:
        many = len(count(self.config).program.ops)
        return [1e-6 if self.smallest else number * 1e-6 for number in range(1, many + 1)]


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> list[ScriptedCase]:
    """Replace benchmark cases by scripted ones and return those that were made."""
    made: list[ScriptedCase] = []

    def make(config: RunConfig, batch: int) -> ScriptedCase:
        made.append(ScriptedCase(config, batch))
        return made[-1]

    monkeypatch.setattr(step_profile, "BenchmarkCase", make)
    monkeypatch.setattr(step_profile, "peaks_of", lambda *_: PEAKS)
    monkeypatch.setattr(step_profile, "roofs_of", lambda *_: ())
    monkeypatch.setattr(step_profile, "SECONDS", 0.0)
    monkeypatch.setattr(step_profile, "SMALLEST_SECONDS", 0.0)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time only a few real steps."""
    monkeypatch.setattr(step_profile, "peaks_of", lambda *_: PEAKS)
    monkeypatch.setattr(step_profile, "roofs_of", lambda *_: ())
    monkeypatch.setattr(step_profile, "SECONDS", 0.0)
    monkeypatch.setattr(step_profile, "SMALLEST_SECONDS", 0.0)
    monkeypatch.setattr(benchmark_case, "BUDGET", 0.0)
    monkeypatch.setattr(benchmark_case, "ROUND_SECONDS", 1e-4)


# ── what is measured ──


def test_medians_of_the_rounds_and_the_time_outside_the_operations(cases):
    found = profile_step(SMALL)
    assert [one.seconds for one in found.operations] == pytest.approx([n * 1e-6 for n in range(1, OPERATIONS + 1)])
    assert {one.floor for one in found.operations} == {1e-6}
    assert found.step_seconds == pytest.approx(50e-6)
    assert found.samples == 8
    assert found.device == "told ×1"
    assert found.split_seconds == pytest.approx(OPERATIONS * (OPERATIONS + 1) / 2 * 1e-6)
    assert found.outside == 0.0, "the operations took longer than the step"
    assert "takes 1.82 × as long as in one piece" in found.notes[0]
    assert sum(map(found.share, found.operations)) == pytest.approx(1)


def test_the_call_overhead_is_measured_with_every_size_1(cases):
    profile_step(replace(SMALL, optimizer="adam", hidden_activation="tanh"))
    measured, smallest = (subject for subject in cases)
    assert smallest.config.layers == (1, 1, 1)
    assert (smallest.config.batch_size, smallest.config.optimizer) == (1, "adam")
    assert [op.kind for op in count(smallest.config).program.ops] == [op.kind for op in count(measured.config).program.ops]


def test_the_time_outside_the_operations_and_its_share():
    found = made_profile(outside=10e-6)
    assert found.outside == pytest.approx(10e-6)
    assert found.notes == ()
    assert sum(map(found.share, found.operations)) == pytest.approx(1 - 10e-6 / found.step_seconds)


def test_rates_are_counts_over_seconds():
    dense = one_of(made_profile(), Kind.DENSE)
    assert dense.flops_per_second == pytest.approx(2 * 32 * 64 * 32 / 3e-6)
    assert dense.multiply_adds_per_second == dense.flops_per_second
    assert dense.bytes == 4 * (32 * 64 + 64 * 32 + 32 + 32 * 32)
    assert dense.bytes_per_second == pytest.approx(dense.bytes / 3e-6)
    assert dense.intensity == pytest.approx(2 * 32 * 64 * 32 / dense.bytes)
    fused = replace(dense, seconds=0.0)
    assert (fused.flops_per_second, fused.bytes_per_second) == (None, None)


@pytest.mark.parametrize("backend", ["numpy", "scalar", "numba"])
def test_a_real_step_on_a_real_backend(backend, quick):
    if backend == "numba":
        pytest.importorskip("numba")
    try:
        found = profile_step(replace(SMALL, backend=backend, clip_norm=1.0, optimizer="adam", schedule="cosine"))
    except BackendError as error:
        pytest.skip(str(error))
    assert [one.op.kind for one in found.operations] == [one.row.kind for one in found.operations]
    assert all(one.seconds >= 0 and one.floor >= 0 for one in found.operations)
    assert found.step_seconds > 0
    assert found.samples >= 3
    assert found.config.backend == backend


def test_auto_is_resolved_and_a_batch_larger_than_the_volume_is_one_short_one(cases):
    found = profile_step(replace(SMALL, backend="auto", examples=6, batch_size=50))
    assert found.config.backend != "auto"
    assert found.batch == cases[0].batch == 6


def test_each_round_is_reported(cases):
    reports: list[float] = []
    profile_step(SMALL, reports.append)
    assert reports == [0.25, 0.5, 0.75, 1.0]


def test_a_step_that_is_too_long_is_left_out_with_a_reason(cases, monkeypatch):
    monkeypatch.setattr(ScriptedCase, "single", 8.0)
    with pytest.raises(RunError, match=r"left out: a step would take 8.00 s, longer than the 3 s"):
        profile_step(SMALL)
    monkeypatch.setattr(step_profile, "least_seconds", lambda *_: 7_300.0)
    with pytest.raises(RunError, match=r"2 h 02 min or more.*smaller network or batch"):
        profile_step(SMALL)


def test_a_loss_that_is_not_finite_is_refused(monkeypatch, quick):
    monkeypatch.setattr(benchmark_case.initializers, "parameters", _enormous)
    with pytest.raises(RunError, match="is not finite"):
        profile_step(replace(SMALL, loss="mse"))


def _enormous(config: RunConfig) -> Any:
    return [(np.full((n, m), 1e38, "float32"), np.zeros(m, "float32")) for n, m in pairwise(config.layers)]


# ── the roofs ──


def test_memory_is_the_lower_roof_up_to_the_ridge():
    roofs = Roofs(100e9, 10e9)
    assert roofs.ridge == 10
    assert (roofs.at(1), roofs.at(10), roofs.at(1_000)) == (10e9, 100e9, 100e9)
    assert (roofs.bound(9.9), roofs.bound(10)) == (Bound.MEMORY, Bound.COMPUTE)


def test_each_operation_is_compared_with_its_roof():
    found = roofline(made_profile(replace(NET, layers=(512, 512, 10), batch_size=256)))
    dots = {(dot.time.op.kind, dot.time.op.layer): dot for dot in found.dots}
    dense = dots[Kind.DENSE, 1]
    assert dense.bound is Bound.COMPUTE
    assert dense.of_roof == pytest.approx(2 * 256 * 512 * 512 / 3e-6 / 100e9)
    update = dots[Kind.SGD, 1]
    assert update.bound is Bound.MEMORY
    assert update.of_roof == pytest.approx(update.time.bytes_per_second / 10e9)
    assert update.place == (update.time.intensity, update.time.flops_per_second)
    assert found.of == "OpenBLAS 0.3.31 SkylakeX ×1, float32"


def dot_of(kind: Kind, layer: int | None = None, **changes: Any) -> Dot:
    """The dot of one operation, with a memory roof per cache level."""
    dots = roofline(made_profile(**({"roofs": ROOFS} | changes))).dots
    return next(dot for dot in dots if dot.time.op.kind is kind and layer in (None, dot.time.op.layer))


@pytest.mark.parametrize(("batch", "level"), [(32, "L1"), (512, "L2"), (16_384, "L3"), (262_144, "DRAM")], ids=str)
def test_the_level_is_the_innermost_that_holds_the_operations_buffers(batch, level):
    dot = dot_of(Kind.ACTIVATION, config=replace(NET, batch_size=batch, examples=batch))
    assert dot.time.working_set == 2 * batch * 32 * 4
    assert dot.memory.level == dot.roof == level
    assert dot.of_roof == pytest.approx(dot.time.bytes_per_second / dot.memory.per_second)


def test_a_buffer_that_is_read_and_written_is_in_the_working_set_once():
    update = one_of(made_profile(), Kind.SGD, 1)
    assert update.bytes == 3 * update.op.parameters * 4
    assert update.working_set == 2 * update.op.parameters * 4
    gather = one_of(made_profile(), Kind.GATHER)
    assert gather.working_set == gather.bytes


def test_an_operation_in_l1_is_compared_with_l1_and_not_with_a_large_copy():
    dot = dot_of(Kind.ACTIVATION, seconds={Kind.ACTIVATION: 8_192 / 200e9})
    assert dot.time.bytes_per_second == pytest.approx(20 * 10e9), "of a large copy"
    assert dot.of_roof == pytest.approx(200 / 320)
    assert dot.above is None
    assert dot.to_dict()["level"] == "L1"
    assert dot.to_dict()["above_roof"] is False


def test_a_rate_above_its_roof_beyond_the_spread_is_marked_and_explained():
    within = dot_of(Kind.ACTIVATION, seconds={Kind.ACTIVATION: 8_192 / 325e9}).to_dict()
    assert (within["above_roof"], within["above_roof_reason"]) == (False, None)
    slow = replace(ROOFS[0], per_second=1e9)
    above = dot_of(Kind.ACTIVATION, roofs=(slow, *ROOFS[1:])).to_dict()
    assert above["above_roof"] is True
    assert above["of_roof"] == pytest.approx(8_192 / 3e-6 / 1e9)
    assert above["above_roof_reason"].startswith(
        "above the L1 roof, which was measured at another moment (NumPy copy and add, 1 "
    )
    product = dot_of(Kind.DENSE, 1, peaks=replace(PEAKS, flops_per_second=20e9))
    assert product.bound is Bound.COMPUTE
    assert product.above is not None
    assert product.above.startswith("above the compute roof")


def test_a_rate_above_its_roof_within_its_own_spread_says_so():
    dot = dot_of(Kind.ACTIVATION, seconds={Kind.ACTIVATION: 8_192 / 400e9})
    assert dot.above is not None
    assert "within the spreads of its own time (± 100 ns)" in dot.above


def test_the_part_that_a_faster_level_can_hold_explains_a_rate_above_the_roof():
    config = replace(NET, batch_size=160, examples=160)
    size = 2 * 160 * 32 * 4
    roofs = tuple(replace(roof, per_second=roof.per_second / 100) for roof in ROOFS)
    between, beyond = (
        dot_of(Kind.ACTIVATION, config=config, roofs=roofs, seconds={Kind.ACTIVATION: size / rate}) for rate in (2.4e9, 9e9)
    )
    assert between.above == "above the L2 roof: up to 32.0 KiB of its 40.0 KiB can still be in L1 from the operation before"
    assert beyond.above is not None
    assert "another moment" in beyond.above


def test_products_are_compared_with_the_roofs_of_their_threads():
    four = tuple(replace(roof, threads=4, per_second=3 * roof.per_second) for roof in ROOFS)
    found = roofline(made_profile(roofs=(*ROOFS, *four), peaks=replace(PEAKS, threads=4)))
    for dot in found.dots:
        assert dot.memory.threads == (4 if dot.time.op.kind in PRODUCTS else 1)
        assert {level.threads for level in found.levels_for(dot)} == {dot.memory.threads}


def test_without_known_caches_the_roof_is_a_copy_and_nothing_is_above_it():
    dot = dot_of(Kind.ACTIVATION, roofs=(), seconds={Kind.ACTIVATION: 1e-9})
    assert dot.of_roof == pytest.approx(8_192 / 1e-9 / 10e9)
    assert dot.roof == "memory"
    assert dot.above is None
    plain = dot.to_dict()
    assert (plain["level"], plain["above_roof"], plain["above_roof_reason"]) == (None, None, None)


def test_the_bottleneck_follows_from_the_level_that_holds_the_step():
    found = made_profile(roofs=ROOFS, seconds={Kind.BIAS_GRADIENT: 8e-7}, floors={Kind.BIAS_GRADIENT: 0.0})
    assert found.step_bytes > 32 << 10
    assert found.step_peaks.level == "L2"
    one = one_of(found, Kind.BIAS_GRADIENT, 1)
    assert bottleneck(one, PEAKS, "numpy") is Bottleneck.MEMORY, "as fast as a large copy"
    assert bottleneck(one, found.step_peaks, "numpy") is Bottleneck.PASSES
    assert "below a copy's in L2" in advice(one, found.step_peaks, "numpy")


def test_an_operation_without_flops_has_a_bandwidth_and_no_dot():
    gather = roofline(made_profile()).dots[0]
    assert gather.time.op.kind is Kind.GATHER
    assert gather.place is None
    assert gather.bound is Bound.MEMORY
    assert gather.of_roof == pytest.approx(gather.time.bytes / 3e-6 / 10e9)


def test_scalar_and_fused_operations_have_no_dot():
    config = replace(NET, optimizer="adam", schedule="cosine", clip_norm=1.0)
    dots = roofline(made_profile(config, {Kind.CLIP: 0.0})).dots
    for kind in (Kind.BIAS_CORRECTION, Kind.SCHEDULED_RATE, Kind.CLIP_FACTOR):
        (dot,) = (dot for dot in dots if dot.time.op.kind is kind)
        assert (dot.place, dot.bound, dot.of_roof, dot.bottleneck) == (None, None, None, Bottleneck.CALLS)
    clip = next(dot for dot in dots if dot.time.op.kind is Kind.CLIP)
    assert (clip.place, clip.of_roof, clip.bottleneck) == (None, None, Bottleneck.FUSED)
    assert "fused into the kernel" in clip.advice


# ── what limits, and what would help ──

WIDE = replace(NET, layers=(784, 512, 512, 10), batch_size=256)
B = Bottleneck
BOTTLENECKS: dict[str, tuple[RunConfig, Kind, int | None, float, float, Bottleneck, str]] = {
    "the call": (NET, Kind.BIAS_GRADIENT, 2, 1.5e-6, 1.2e-6, B.CALLS, "1.20 µs of 1.50 µs for 320 elements; a larger batch"),
    "a call of the update": (NET, Kind.SGD, 2, 1e-6, 2e-6, B.CALLS, "1.00 µs of 1.00 µs for 330 elements; a larger batch"),
    "a skinny GEMM": (NET, Kind.DENSE, 2, 9e-6, 1e-6, B.SKINNY, "10 outputs wide; a wider layer or a larger batch"),
    "a skinny batch": (replace(WIDE, batch_size=8), Kind.DENSE, 2, 1e-3, 1e-6, B.SKINNY, "8 examples tall; a larger batch would"),
    "a batch of one": (replace(WIDE, batch_size=1), Kind.DENSE, 2, 1e-3, 1e-6, B.VECTOR, "for a single multiplication"),
    "a small GEMM": (WIDE, Kind.INPUT_GRADIENT, 2, 1e-2, 1e-6, B.SMALL, "67.1 M multiplications"),
    "the peak": (WIDE, Kind.DENSE, 2, 1.6e-3, 1e-6, B.PEAK, "84 % of this machine's peak"),
    "memory": (WIDE, Kind.SGD, 1, 6e-4, 1e-6, B.MEMORY, "touched once, at 8.04 GB/s; fusing"),
    "a cache": (WIDE, Kind.SGD, 1, 1e-4, 1e-6, B.MEMORY, "48.2 GB/s out of the processor's caches"),
    "rows": (WIDE, Kind.GATHER, None, 1e-2, 1e-6, B.MEMORY, "copies rows"),
    "a function": (replace(WIDE, hidden_activation="tanh"), Kind.ACTIVATION, 1, 1e-2, 1e-6, B.FUNCTION, "tanh: 76.3 ns"),
    "a softmax": (WIDE, Kind.CROSS_ENTROPY, None, 1e-3, 1e-6, B.FUNCTION, "391 ns per element, for exponentials"),
    "passes": (WIDE, Kind.BIAS_GRADIENT, 1, 1e-2, 1e-6, B.PASSES, "more than one pass"),
    "Python": (replace(NET, backend="scalar"), Kind.DENSE, 1, 1e-1, 1e-2, B.INTERPRETER, "plain Python: 763 ns per operation"),
}  # fmt: skip


@pytest.mark.parametrize("case", BOTTLENECKS)
def test_each_bottleneck_and_its_advice(case):
    config, kind, layer, seconds, floor, expected, words = BOTTLENECKS[case]
    one = replace(one_of(made_profile(config), kind, layer), seconds=seconds, floor=floor)
    assert bottleneck(one, PEAKS, config.backend) is expected
    said = advice(one, PEAKS, config.backend)
    assert words in said
    assert "\n" not in said


def test_float32_is_recommended_only_for_float64():
    one = replace(one_of(made_profile(WIDE), Kind.SGD, 1), seconds=6e-4)
    assert "float32" not in advice(one, PEAKS, "numpy")
    assert "float32 would halve" in advice(one, replace(PEAKS, dtype="float64"), "numpy")


def test_the_bottleneck_beyond_the_call_of_a_product_is_a_gemm():
    one = replace(one_of(made_profile(), Kind.DENSE, 2), seconds=3e-6, floor=2.9e-6)
    assert bottleneck(one, PEAKS, "numpy") is Bottleneck.CALLS
    assert beyond_call(one, PEAKS, "numpy") is Bottleneck.SKINNY
    assert "skinny GEMM" in advice(one, PEAKS, "numpy", Bottleneck.SKINNY)


# ── the document and the command ──


@pytest.mark.parametrize(
    "found",
    [
        made_profile(),
        made_profile(replace(NET, optimizer="adam", clip_norm=1.0), {Kind.ADAM: 0.0}, outside=-2e-6),
        made_profile(roofs=ROOFS, seconds={Kind.SGD: 1e-9}),
    ],
    ids=["plain", "with what is not known", "with a roof per level"],
)
def test_every_number_of_the_document_is_finite_and_marked(found):
    plain = json.loads(json.dumps(command.document(found), allow_nan=False))
    assert unmarked(plain) == set()
    assert set(plain["marks"].values()) <= set(Provenance)
    assert len(plain["operations"]) == len(plain["roofline"]["dots"])
    assert math.fsum(part["share"] for part in plain["waterfall"]["parts"]) == pytest.approx(1, abs=1e-12)
    assert plain["peaks"]["of"] == "OpenBLAS 0.3.31 SkylakeX ×1, float32"


@pytest.mark.parametrize("columns", ["70", "84", "140"])
def test_the_command_prints_the_page(columns, cases, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert command.profile("5-4-3") == ExitCode.DONE
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("one step 50.0 µs", "a·W + b", "limited by", "the roofs meet at 10 FLOP/byte", "GEMM inefficiency",
                  "SkylakeX ×1, float32", "note: operation by operation"):  # fmt: skip
        assert words in shown
    assert ("B/s" in shown.split("a·W")[0]) == (columns == "140")


def test_the_command_names_the_level_and_explains_what_is_above(cases, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setattr(step_profile, "roofs_of", lambda *_: (replace(ROOFS[0], per_second=1e6), *ROOFS[1:]))
    assert command.profile("5-4-3") == ExitCode.DONE
    shown = " ".join(capsys.readouterr().out.split())
    assert "L1 1.00 MB/s, L2 160 GB/s, L3 80.0 GB/s, DRAM 10.0 GB/s (NumPy copy and add, 1 thread)" in shown
    assert "% ▲ L1" in shown
    assert "▲ activations 1: above the L1 roof" in shown
    assert "GEMM 100 GFLOP/s" in shown


def test_the_command_prints_json(cases, capsys):
    assert command.profile("5-4-3", json_=True) == ExitCode.DONE
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out)["operations"][0]["phase"] == Phase.DATA.value


def test_an_invalid_network_is_refused_before_anything_is_measured(cases):
    with pytest.raises(ConfigError, match="layers"):
        command.profile("5-0-3")
    assert cases == []


# ── the job of the page ──


def run_job(config: RunConfig, cancel: bool = False) -> Job[float, StepProfile]:
    job = ProfileScreen(PageContext(config=config)).make_job()
    if cancel:
        job.cancel()
    job.start()
    assert job.join(10)
    return job


def test_the_job_publishes_its_progress_and_the_profile(cases):
    job = run_job(SMALL)
    assert job.progress == 1.0
    assert job.result is not None
    assert job.failure is None


def test_a_cancelled_job_has_no_profile_and_a_failed_one_says_why(cases, monkeypatch):
    assert run_job(SMALL, cancel=True).result is None
    monkeypatch.setattr(step_profile, "get_backend", _absent)
    failure = run_job(SMALL).failure
    assert failure is not None
    assert failure.message == "backend numpy: not here"


def _absent(name: str) -> Any:
    raise BackendError(f"backend {name}: not here")
