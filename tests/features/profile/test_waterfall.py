"""The waterfall: the parts of a step and of a run add up to the wall time, and what was not recorded is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.made_profile import NET, PEAKS, made_profile
from tests.support.scripted import snapshot
from tuisim.errors import RunError
from tuisim.features.profile.bottleneck import PRODUCTS
from tuisim.features.profile.waterfall import Part, TimeBreakdown, Waterfall, waterfall
from tuisim.program import Kind

STEP = made_profile()
STEPS = 1_000
FULL = TimeBreakdown(1.0, STEPS * STEP.step_seconds, STEPS, 0.05, 0.02, 0.1, 0.01)
"""A run whose steps take as long as the profiled one."""


def shares(found: Waterfall) -> Mapping[str, float]:
    return {part.key: part.share for part in found.parts}


def part(found: Waterfall, key: str) -> Part:
    return next(one for one in found.parts if one.key == key)


def whole(found: Waterfall) -> None:
    assert all(one.seconds >= 0 and one.share >= 0 for one in found.parts)
    assert math.fsum(one.share for one in found.parts) == pytest.approx(1, abs=1e-12)
    assert math.fsum(one.seconds for one in found.parts) == pytest.approx(found.wall_seconds, rel=1e-9)


# ── one step ──


def test_the_parts_of_one_step():
    found = waterfall(STEP, TimeBreakdown.of_step(STEP))
    whole(found)
    products = [one for one in STEP.operations if one.op.kind in PRODUCTS]
    at_peak = sum(one.row.operations.multiply_adds for one in products) / 100e9
    elements = len(STEP.operations) - len(products) - 1
    seconds = {one.key: one.seconds for one in found.parts}
    assert seconds["peak"] == pytest.approx(at_peak)
    assert seconds["products"] == pytest.approx(len(products) * 2e-6 - at_peak)
    assert seconds["elements"] == pytest.approx(elements * 2e-6)
    assert seconds["calls"] == pytest.approx((len(products) + elements) * 1e-6 + 1e-6)
    assert seconds["data"] == pytest.approx(3e-6)
    assert seconds["rest"] == 0


def test_the_achieved_rate_is_that_of_the_products_over_the_wall_time():
    found = waterfall(STEP, TimeBreakdown.of_step(STEP))
    assert found.achieved == pytest.approx(part(found, "peak").share * found.peak)
    assert found.of == "OpenBLAS 0.3.31 SkylakeX ×1, float32"


def test_a_product_faster_than_the_peak_is_all_at_peak():
    found = waterfall(made_profile(peaks=replace(PEAKS, flops_per_second=1.0)), TimeBreakdown.of_step(STEP))
    assert part(found, "products").seconds == 0
    assert part(found, "peak").share > 0
    whole(found)


def test_operations_that_take_longer_than_the_step_are_scaled_to_it():
    step = made_profile(outside=-20e-6)
    found = waterfall(step, TimeBreakdown.of_step(step))
    whole(found)
    assert found.wall_seconds == step.step_seconds < step.split_seconds
    assert any("one piece" in note for note in found.notes)


def test_the_advice_names_the_operation_that_loses_most():
    step = made_profile(seconds={Kind.CROSS_ENTROPY: 40e-6, Kind.INPUT_GRADIENT: 20e-6})
    found = waterfall(step, TimeBreakdown.of_step(step))
    assert part(found, "elements").advice.startswith("softmax, cross-entropy: ")
    assert part(found, "products").advice.startswith("input gradient, layer 2: skinny GEMM")
    assert "13 calls per step" in part(found, "calls").advice
    assert "numba" not in part(waterfall(made_profile(replace(NET, backend="numba")), FULL), "calls").advice


# ── a run ──


def test_a_run_has_validation_instrumentation_and_pauses_beside_its_steps():
    found = waterfall(STEP, FULL)
    whole(found)
    step = waterfall(STEP, TimeBreakdown.of_step(STEP))
    for key in ("peak", "products", "elements", "calls", "data"):
        assert part(found, key).seconds == pytest.approx(STEPS * part(step, key).seconds)
    assert [shares(found)[key] for key in ("validation", "probe", "paused", "making")] == pytest.approx([0.05, 0.02, 0.1, 0.01])
    assert shares(found)["rest"] == pytest.approx(1 - FULL.step_seconds - 0.18)
    assert "slower" not in shares(found)
    assert "not recorded" not in part(found, "rest").advice


def test_parts_that_were_not_recorded_are_in_the_rest_and_named():
    found = waterfall(STEP, TimeBreakdown(1.0, FULL.step_seconds, STEPS, validation_seconds=0.05))
    whole(found)
    assert not {"probe", "paused", "making"} & set(shares(found))
    assert shares(found)["rest"] == pytest.approx(1 - FULL.step_seconds - 0.05)
    assert part(found, "rest").advice.endswith("instrumentation, paused, data generation not recorded")


def test_steps_slower_than_the_profiled_one_are_a_part_of_their_own():
    found = waterfall(STEP, replace(FULL, step_seconds=2.5 * FULL.step_seconds))
    whole(found)
    assert part(found, "slower").seconds == pytest.approx(1.5 * FULL.step_seconds)
    assert "150 % longer" in part(found, "slower").advice


def test_shuffling_is_added_to_batch_loading():
    slow = replace(FULL, step_seconds=2 * FULL.step_seconds)
    alone = part(waterfall(STEP, slow), "data").seconds
    found = waterfall(STEP, replace(slow, data_seconds=alone + FULL.step_seconds / 4))
    whole(found)
    assert part(found, "data").seconds == pytest.approx(alone + FULL.step_seconds / 4)
    assert part(found, "data").advice.endswith("with shuffling")
    assert part(found, "slower").seconds == pytest.approx(0.75 * FULL.step_seconds)
    assert part(waterfall(STEP, replace(slow, data_seconds=9.0)), "slower").seconds == 0


def test_steps_faster_than_the_profiled_one_make_its_parts_smaller():
    found = waterfall(STEP, replace(FULL, step_seconds=FULL.step_seconds / 2))
    whole(found)
    assert part(found, "calls").seconds == pytest.approx(part(waterfall(STEP, FULL), "calls").seconds / 2)
    assert "slower" not in shares(found)


def test_parts_longer_than_the_wall_time_are_scaled_to_it_with_a_note():
    found = waterfall(STEP, replace(FULL, paused_seconds=2.0))
    whole(found)
    assert "× the wall time" in found.notes[-1]
    assert shares(found)["rest"] == 0


@pytest.mark.parametrize("wall", [0.0, -1.0, math.nan, math.inf])
def test_a_wall_time_that_is_not_positive_is_refused(wall):
    with pytest.raises(RunError, match="wait for the first steps"):
        waterfall(STEP, replace(FULL, wall_seconds=wall))


seconds = st.floats(0, 1e6)
maybe = st.none() | st.floats(-1, 1e6)


@given(
    st.builds(TimeBreakdown, st.floats(1e-6, 1e6), seconds, st.floats(0, 1e9), maybe, maybe, maybe, maybe, maybe),
    st.dictionaries(st.sampled_from(list(Kind)), st.floats(0, 1.0)),
    st.dictionaries(st.sampled_from(list(Kind)), st.floats(0, 1.0)),
    st.floats(-1e-5, 1.0),
)
@settings(max_examples=150, deadline=None)
def test_the_parts_add_up_to_the_wall_time_for_any_measurement(spent, times, floors, outside):
    whole(waterfall(made_profile(seconds=times, floors=floors, outside=outside), spent))


# ── the time breakdown ──


def test_a_snapshot_has_instrumentation_and_pauses():
    spent = TimeBreakdown.of_snapshot(snapshot(NET))
    assert (spent.wall_seconds, spent.step_seconds, spent.validation_seconds, spent.probe_seconds) == (12.4, 0.48, 0.4, 0.14)
    assert spent.paused_seconds == pytest.approx(0.3)
    assert spent.steps == 684_414 / 32
    assert spent.making_seconds is None
    assert spent.data_seconds == pytest.approx(1.1e-6 * 21_573)
    whole(waterfall(STEP, spent))


def test_a_batch_larger_than_the_volume_is_one_short_batch():
    found = TimeBreakdown.of_snapshot(snapshot(replace(NET, examples=20, batch_size=32), examples_seen=60))
    assert found.steps == 3
