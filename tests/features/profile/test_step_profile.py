"""A step taken apart: what is measured and said of each operation, its place under the roofs, the document, the command."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.support.dissected import NET, PEAKS, ROOFS, dissected, one_of
from tests.test_provenance import unmarked
from tuisim import RunConfig, count
from tuisim.engine import benchmark_case as engine_subject
from tuisim.errors import BackendError, ConfigError, ExitCode, RunError
from tuisim.features.profile import command
from tuisim.features.profile import step_profile as profiling
from tuisim.features.profile.bottleneck import Limit, beyond_call, help_words, limit
from tuisim.features.profile.roofline import Bound, Dot, Roofs, roofline
from tuisim.features.profile.step_profile import profile
from tuisim.features.profile.worker import ProfileWorker
from tuisim.predict.work import PRODUCTS
from tuisim.program import Kind, Phase
from tuisim.provenance import Provenance

SMALL = RunConfig(layers=(5, 4, 3), batch_size=8, threads=1)
OPERATIONS = len(count(SMALL).program.ops)


class Told:
    """A subject whose times are told: whole steps of 50 µs, and its operations 1, 2, 3 … µs, or 1 µs each where all is one."""

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
def told(monkeypatch: pytest.MonkeyPatch) -> list[Told]:
    """Every subject that was made, in place of real ones."""
    made: list[Told] = []

    def make(config: RunConfig, batch: int) -> Told:
        made.append(Told(config, batch))
        return made[-1]

    monkeypatch.setattr(profiling, "Subject", make)
    monkeypatch.setattr(profiling, "peaks_of", lambda *_: PEAKS)
    monkeypatch.setattr(profiling, "roofs_of", lambda *_: ())
    monkeypatch.setattr(profiling, "SECONDS", 0.0)
    monkeypatch.setattr(profiling, "SMALLEST_SECONDS", 0.0)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real steps, few of them."""
    monkeypatch.setattr(profiling, "peaks_of", lambda *_: PEAKS)
    monkeypatch.setattr(profiling, "roofs_of", lambda *_: ())
    monkeypatch.setattr(profiling, "SECONDS", 0.0)
    monkeypatch.setattr(profiling, "SMALLEST_SECONDS", 0.0)
    monkeypatch.setattr(engine_subject, "BUDGET", 0.0)
    monkeypatch.setattr(engine_subject, "ROUND_SECONDS", 1e-4)


# ── what is measured ──


def test_medians_of_the_rounds_and_what_is_left_outside_the_operations(told):
    found = profile(SMALL)
    assert [one.seconds for one in found.operations] == pytest.approx([n * 1e-6 for n in range(1, OPERATIONS + 1)])
    assert {one.floor for one in found.operations} == {1e-6}
    assert found.step_seconds == pytest.approx(50e-6)
    assert found.samples == 8
    assert found.device == "told ×1"
    assert found.split_seconds == pytest.approx(OPERATIONS * (OPERATIONS + 1) / 2 * 1e-6)
    assert found.outside == 0.0, "the operations took longer than the step"
    assert "takes 1.82 × as long as in one piece" in found.notes[0]
    assert sum(map(found.share, found.operations)) == pytest.approx(1)


def test_the_call_is_that_of_the_same_operations_on_one_number(told):
    profile(replace(SMALL, optimizer="adam", hidden_activation="tanh"))
    measured, smallest = (subject for subject in told)
    assert smallest.config.layers == (1, 1, 1)
    assert (smallest.config.batch_size, smallest.config.optimizer) == (1, "adam")
    assert [op.kind for op in count(smallest.config).program.ops] == [op.kind for op in count(measured.config).program.ops]


def test_what_lies_outside_and_its_share():
    found = dissected(outside=10e-6)
    assert found.outside == pytest.approx(10e-6)
    assert found.notes == ()
    assert sum(map(found.share, found.operations)) == pytest.approx(1 - 10e-6 / found.step_seconds)


def test_rates_are_counts_over_seconds():
    dense = one_of(dissected(), Kind.DENSE)
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
        found = profile(replace(SMALL, backend=backend, clip_norm=1.0, optimizer="adam", schedule="cosine"))
    except BackendError as error:
        pytest.skip(str(error))
    assert [one.op.kind for one in found.operations] == [one.row.kind for one in found.operations]
    assert all(one.seconds >= 0 and one.floor >= 0 for one in found.operations)
    assert found.step_seconds > 0
    assert found.samples >= 3
    assert found.config.backend == backend


def test_auto_is_resolved_and_a_batch_larger_than_the_volume_is_one_short_one(told):
    found = profile(replace(SMALL, backend="auto", examples=6, batch_size=50))
    assert found.config.backend != "auto"
    assert found.batch == told[0].batch == 6


def test_it_ends_with_the_rounds_it_has_once_nobody_wants_it(told):
    heard: list[float] = []
    assert profile(SMALL, lambda: False, heard.append).samples == 2
    assert heard == [0.25]
    profile(SMALL, tell=heard.append)
    assert heard[1:] == [0.25, 0.5, 0.75, 1.0]


def test_a_step_that_is_too_long_is_left_out_with_words(told, monkeypatch):
    monkeypatch.setattr(Told, "single", 8.0)
    with pytest.raises(RunError, match=r"left out: a step would take 8.00 s, longer than the 3 s"):
        profile(SMALL)
    monkeypatch.setattr(profiling, "least_seconds", lambda *_: 7_300.0)
    with pytest.raises(RunError, match=r"2 h 02 min or more.*smaller network or batch"):
        profile(SMALL)


def test_a_loss_that_is_no_number_is_said(monkeypatch, quick):
    monkeypatch.setattr(engine_subject.initial, "parameters", _enormous)
    with pytest.raises(RunError, match="no number"):
        profile(replace(SMALL, loss="mse"))


def _enormous(config: RunConfig) -> Any:
    return [(np.full((n, m), 1e38, "float32"), np.zeros(m, "float32")) for n, m in pairwise(config.layers)]


# ── the roofs ──


def test_the_lower_roof_is_the_memorys_up_to_the_ridge():
    roofs = Roofs(100e9, 10e9)
    assert roofs.ridge == 10
    assert (roofs.at(1), roofs.at(10), roofs.at(1_000)) == (10e9, 100e9, 100e9)
    assert (roofs.bound(9.9), roofs.bound(10)) == (Bound.MEMORY, Bound.COMPUTE)


def test_each_operation_against_its_roof():
    found = roofline(dissected(replace(NET, layers=(512, 512, 10), batch_size=256)))
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
    dots = roofline(dissected(**({"roofs": ROOFS} | changes))).dots
    return next(dot for dot in dots if dot.time.op.kind is kind and layer in (None, dot.time.op.layer))


@pytest.mark.parametrize(("batch", "level"), [(32, "L1"), (512, "L2"), (16_384, "L3"), (262_144, "DRAM")], ids=str)
def test_the_level_is_the_innermost_that_holds_the_operations_buffers(batch, level):
    dot = dot_of(Kind.ACTIVATION, config=replace(NET, batch_size=batch, examples=batch))
    assert dot.time.working_set == 2 * batch * 32 * 4
    assert dot.memory.level == dot.roof == level
    assert dot.of_roof == pytest.approx(dot.time.bytes_per_second / dot.memory.per_second)


def test_a_buffer_that_is_read_and_written_is_in_the_working_set_once():
    update = one_of(dissected(), Kind.SGD, 1)
    assert update.bytes == 3 * update.op.parameters * 4
    assert update.working_set == 2 * update.op.parameters * 4
    gather = one_of(dissected(), Kind.GATHER)
    assert gather.working_set == gather.bytes


def test_an_operation_in_l1_is_below_the_roof_of_l1_whatever_a_large_copy_reaches():
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


def test_what_an_inner_level_can_still_hold_is_an_explanation_as_far_as_it_reaches():
    config = replace(NET, batch_size=160, examples=160)
    size = 2 * 160 * 32 * 4
    roofs = tuple(replace(roof, per_second=roof.per_second / 100) for roof in ROOFS)
    between, beyond = (
        dot_of(Kind.ACTIVATION, config=config, roofs=roofs, seconds={Kind.ACTIVATION: size / rate}) for rate in (2.4e9, 9e9)
    )
    assert between.above == "above the L2 roof: up to 32.0 KiB of its 40.0 KiB can still be in L1 from the operation before"
    assert beyond.above is not None
    assert "another moment" in beyond.above


def test_products_stand_against_the_roofs_of_their_threads():
    four = tuple(replace(roof, threads=4, per_second=3 * roof.per_second) for roof in ROOFS)
    found = roofline(dissected(roofs=(*ROOFS, *four), peaks=replace(PEAKS, threads=4)))
    for dot in found.dots:
        assert dot.memory.threads == (4 if dot.time.op.kind in PRODUCTS else 1)
        assert {level.threads for level in found.levels_for(dot)} == {dot.memory.threads}


def test_without_caches_there_is_a_copys_roof_and_no_claim():
    dot = dot_of(Kind.ACTIVATION, roofs=(), seconds={Kind.ACTIVATION: 1e-9})
    assert dot.of_roof == pytest.approx(8_192 / 1e-9 / 10e9)
    assert dot.roof == "memory"
    assert dot.above is None
    plain = dot.to_dict()
    assert (plain["level"], plain["above_roof"], plain["above_roof_reason"]) == (None, None, None)


def test_what_limits_an_operation_is_told_by_the_level_that_holds_the_step():
    found = dissected(roofs=ROOFS, seconds={Kind.BIAS_GRADIENT: 8e-7}, floors={Kind.BIAS_GRADIENT: 0.0})
    assert found.step_bytes > 32 << 10
    assert found.step_peaks.level == "L2"
    one = one_of(found, Kind.BIAS_GRADIENT, 1)
    assert limit(one, PEAKS, "numpy") is Limit.MEMORY, "as fast as a large copy"
    assert limit(one, found.step_peaks, "numpy") is Limit.PASSES
    assert "below a copy's in L2" in help_words(one, found.step_peaks, "numpy")


def test_what_computes_nothing_has_a_bandwidth_and_no_dot():
    gather = roofline(dissected()).dots[0]
    assert gather.time.op.kind is Kind.GATHER
    assert gather.place is None
    assert gather.bound is Bound.MEMORY
    assert gather.of_roof == pytest.approx(gather.time.bytes / 3e-6 / 10e9)


def test_a_few_scalars_and_what_is_fused_have_no_dot():
    config = replace(NET, optimizer="adam", schedule="cosine", clip_norm=1.0)
    dots = roofline(dissected(config, {Kind.CLIP: 0.0})).dots
    for kind in (Kind.BIAS_CORRECTION, Kind.SCHEDULED_RATE, Kind.CLIP_FACTOR):
        (dot,) = (dot for dot in dots if dot.time.op.kind is kind)
        assert (dot.place, dot.bound, dot.of_roof, dot.limit) == (None, None, None, Limit.CALLS)
    clip = next(dot for dot in dots if dot.time.op.kind is Kind.CLIP)
    assert (clip.place, clip.of_roof, clip.limit) == (None, None, Limit.FUSED)
    assert "no time of its own" in clip.help


# ── what limits, and what would help ──

WIDE = replace(NET, layers=(784, 512, 512, 10), batch_size=256)
LIMITS: dict[str, tuple[RunConfig, Kind, int | None, float, float, Limit, str]] = {
    "the call": (NET, Kind.BIAS_GRADIENT, 2, 1.5e-6, 1.2e-6, Limit.CALLS, "1.20 µs of 1.50 µs for 320 elements; a larger batch"),
    "a call of the update": (NET, Kind.SGD, 2, 1e-6, 2e-6, Limit.CALLS, "1.00 µs of 1.00 µs for 330 elements; a larger batch"),
    "a thin product": (NET, Kind.DENSE, 2, 9e-6, 1e-6, Limit.THIN, "10 outputs wide; a wider layer or a larger batch"),
    "a thin batch": (replace(WIDE, batch_size=8), Kind.DENSE, 2, 1e-3, 1e-6, Limit.THIN, "8 examples tall; a larger batch would"),
    "a batch of one": (replace(WIDE, batch_size=1), Kind.DENSE, 2, 1e-3, 1e-6, Limit.VECTOR, "for a single multiplication"),
    "a small product": (WIDE, Kind.INPUT_GRADIENT, 2, 1e-2, 1e-6, Limit.SMALL, "67.1 M multiplications"),
    "the peak": (WIDE, Kind.DENSE, 2, 1.6e-3, 1e-6, Limit.PEAK, "84 % of this machine's peak"),
    "memory": (WIDE, Kind.SGD, 1, 6e-4, 1e-6, Limit.MEMORY, "touched once, at 8.04 GB/s; fusing"),
    "a cache": (WIDE, Kind.SGD, 1, 1e-4, 1e-6, Limit.MEMORY, "48.2 GB/s out of the processor's caches"),
    "rows": (WIDE, Kind.GATHER, None, 1e-2, 1e-6, Limit.MEMORY, "copies rows"),
    "a function": (replace(WIDE, hidden_activation="tanh"), Kind.ACTIVATION, 1, 1e-2, 1e-6, Limit.FUNCTION, "tanh: 76.3 ns"),
    "a softmax": (WIDE, Kind.CROSS_ENTROPY, None, 1e-3, 1e-6, Limit.FUNCTION, "391 ns an element, for exponentials"),
    "passes": (WIDE, Kind.BIAS_GRADIENT, 1, 1e-2, 1e-6, Limit.PASSES, "more than one pass"),
    "Python": (replace(NET, backend="scalar"), Kind.DENSE, 1, 1e-1, 1e-2, Limit.INTERPRETER, "plain Python: 763 ns an operation"),
}  # fmt: skip


@pytest.mark.parametrize("case", LIMITS)
def test_each_limit_and_its_remedy(case):
    config, kind, layer, seconds, floor, expected, words = LIMITS[case]
    one = replace(one_of(dissected(config), kind, layer), seconds=seconds, floor=floor)
    assert limit(one, PEAKS, config.backend) is expected
    said = help_words(one, PEAKS, config.backend)
    assert words in said
    assert "\n" not in said


def test_float32_is_a_remedy_only_for_what_is_wider():
    one = replace(one_of(dissected(WIDE), Kind.SGD, 1), seconds=6e-4)
    assert "float32" not in help_words(one, PEAKS, "numpy")
    assert "float32 would halve" in help_words(one, replace(PEAKS, dtype="float64"), "numpy")


def test_beyond_the_call_a_product_is_still_a_product():
    one = replace(one_of(dissected(), Kind.DENSE, 2), seconds=3e-6, floor=2.9e-6)
    assert limit(one, PEAKS, "numpy") is Limit.CALLS
    assert beyond_call(one, PEAKS, "numpy") is Limit.THIN
    assert "thin product" in help_words(one, PEAKS, "numpy", Limit.THIN)


# ── the document and the command ──


@pytest.mark.parametrize(
    "found",
    [
        dissected(),
        dissected(replace(NET, optimizer="adam", clip_norm=1.0), {Kind.ADAM: 0.0}, outside=-2e-6),
        dissected(roofs=ROOFS, seconds={Kind.SGD: 1e-9}),
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
def test_the_command_in_words(columns, told, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert command.profile("5-4-3") == ExitCode.DONE
    shown = " ".join(capsys.readouterr().out.split())
    for words in ("a step takes 50.0 µs", "a·W + b", "limited by", "they meet at 10 FLOPs a byte", "products below peak",
                  "SkylakeX ×1, float32", "note: operation by operation"):  # fmt: skip
        assert words in shown
    assert ("B/s" in shown.split("a·W")[0]) == (columns == "140")


def test_the_command_names_the_level_and_explains_what_is_above(told, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setattr(profiling, "roofs_of", lambda *_: (replace(ROOFS[0], per_second=1e6), *ROOFS[1:]))
    assert command.profile("5-4-3") == ExitCode.DONE
    shown = " ".join(capsys.readouterr().out.split())
    assert "L1 1.00 MB/s, L2 160 GB/s, L3 80.0 GB/s, DRAM 10.0 GB/s (NumPy copy and add, 1 thread)" in shown
    assert "% ▲ L1" in shown
    assert "▲ activations 1: above the L1 roof" in shown


def test_the_command_as_a_document(told, capsys):
    assert command.profile("5-4-3", json_=True) == ExitCode.DONE
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out)["operations"][0]["phase"] == Phase.DATA.value


def test_what_is_wrong_is_refused_before_anything_is_measured(told):
    with pytest.raises(ConfigError, match="layers"):
        command.profile("5-0-3")
    assert told == []


# ── in the background ──


def test_the_worker_publishes_how_far_it_is_and_the_profile(told):
    worker = ProfileWorker(SMALL)
    worker.start()
    assert worker.join(10)
    assert worker.done == 1.0
    assert worker.profile is not None
    assert worker.failure is None


def test_a_worker_that_was_stopped_has_no_profile_and_one_that_failed_says_why(told, monkeypatch):
    worker = ProfileWorker(SMALL)
    worker.stop()
    worker.start()
    assert worker.join(10)
    assert worker.profile is None
    monkeypatch.setattr(profiling, "get_backend", _absent)
    worker = ProfileWorker(SMALL)
    worker.start()
    assert worker.join(10)
    assert worker.failure == "backend numpy: not here"


def _absent(name: str) -> Any:
    raise BackendError(f"backend {name}: not here")
