"""The answer's claims: counted figures are exact, measured ones are marked, and unknown ones are empty."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tuisim.accounting import KINDS, count
from tuisim.accounting.conventions import CONVENTIONS, TUISIM, Share
from tuisim.backends import probe
from tuisim.cli.options import NOTHING_GIVEN, Options
from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS
from tuisim.data import fitted
from tuisim.engine import benchmark_case
from tuisim.engine.step_time import StepTime, step_times
from tuisim.features.explain.answer import elementwise
from tuisim.features.explain.answer.answer import QUESTION, Answer, answer, measure
from tuisim.features.explain.answer.claims import Claim, Measured, claims
from tuisim.features.explain.answer.command import _chosen
from tuisim.features.explain.answer.elementwise import CACHED, LARGE, ElementTime
from tuisim.program import Kind, Phase
from tuisim.provenance import Provenance


@pytest.fixture(scope="module")
def answered() -> Iterator[Answer]:
    """Really measured, in as few rounds as there can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(elementwise, "ROUNDS", {CACHED: 2, LARGE: 1})
        patch.setattr(benchmark_case, "BUDGET", 0.1)
        yield answer()


def values(claim: Claim) -> dict[str, Any]:
    return {name: figure.value for name, figure in claim.figures.items()}


def by_id(config: RunConfig, measured: Measured = Measured()) -> dict[str, Claim]:  # noqa: B008
    return {claim.id: claim for claim in claims(config, measured)}


def test_the_counted_figures_of_the_question() -> None:
    found = by_id(QUESTION)
    assert list(found) == ["S1", "S2", "S3", "S4", "S5", "S6", "S7"]
    first = values(found["S1"])
    assert (first["layer_1.products"], first["layer_1.terms"], first["layers.functions"]) == (900, 31, 60)
    second = values(found["S2"])
    assert (second["weight_gradient.operations"], second["backward_and_update.operations"]) == (1_800, 7_410)
    assert second["without_reuse.operations"] == 1_860 * 3_660
    assert "3,690" in found["S2"].verdict
    assert "3.08" in found["S2"].verdict
    assert values(found["S4"])["epoch.operations"] == 10_000 * 11_190
    forward = 2 * (784 * 1024 + 1024 * 1024 + 1024 * 10) + 1024 + 1024 + 10
    assert values(found["S5"])["784-1024-1024-10.forward"] == forward
    assert values(found["S7"])["batch_1.ratio"] == pytest.approx(11_070 / 3_600)
    assert {name: found[name].holds for name in ("S1", "S2", "S4", "S5", "S7")} == dict.fromkeys(
        ("S1", "S2", "S4", "S5", "S7"), True
    )


def test_figures_that_are_not_measured_are_empty() -> None:
    found = by_id(QUESTION)
    for name in ("S3", "S6"):
        assert found[name].verdict == ""
        assert found[name].holds is None
        assert found[name].figures == {}
    unknown = by_id(replace(QUESTION, dataset="some.csv"))["S4"]
    assert unknown.holds is None
    assert values(unknown)["epoch.operations"] is None


def test_figures_follow_layers_and_batch() -> None:
    found = by_id(replace(QUESTION, batch_size=32))
    assert found["S7"].holds is False
    assert "2.57 × at batch 32, less than claimed" in found["S7"].verdict
    assert [row.key for row in found["S7"].table.rows] == ["batch_1", "batch_32"]
    other = by_id(replace(QUESTION, layers=(7, 5, 3), batch_size=3))
    assert values(other["S1"])["layer_1.products"] == 35
    assert "7-5-3" in [row.key for row in other["S5"].table.rows]
    assert [row.key for row in other["S7"].table.rows] == ["batch_1", "batch_3", "batch_32"]
    assert by_id(replace(QUESTION, output_activation="identity"))["S1"].holds


@pytest.mark.parametrize(
    "config",
    [
        RunConfig(layers=(1, 1)),
        RunConfig(layers=(5,) * 65),
        RunConfig(layers=(10**6,) * 3, batch_size=10**6),
        RunConfig(layers=(4, 3, 2), hidden_activation=("tanh",), optimizer="adamw", weight_decay=0.1, epochs=None),
    ],
)
def test_any_network_has_claims(config: RunConfig) -> None:
    for claim in claims(config):
        assert claim.holds is not None or claim.id in ("S3", "S6")


def test_verdicts_follow_the_measurements() -> None:
    slow, fast = StepTime("numpy", "some BLAS", 2e-3, 1e-4), StepTime("numpy", "some BLAS", 2e-5, 1e-6)
    left_out = StepTime("scalar", reason="left out: a step would take 4 s or more")
    trivial = by_id(QUESTION, Measured(steps=(fast, left_out)))
    assert trivial["S3"].holds
    assert values(trivial["S4"])["epoch.seconds_numpy"] == pytest.approx(0.2)
    assert "epoch.seconds_scalar" not in values(trivial["S4"]), "no time, no column"
    assert trivial["S4"].figures["epoch.seconds_numpy"].provenance is Provenance.PROJECTED
    assert by_id(QUESTION, Measured(steps=(slow,)))["S3"].holds is False
    assert by_id(replace(QUESTION, batch_size=32), Measured(steps=(slow,)))["S3"].holds
    assert by_id(QUESTION, Measured(steps=(left_out,)))["S3"].holds is None
    for ratio, holds in ((3.0, True), (0.9, False)):
        times = [ElementTime(name, n, 1e-9, 0.0, 1.0) for name in ("multiply",) for n in (CACHED, LARGE)]
        times += [ElementTime(name, n, ratio * 1e-9, 0.0, ratio) for name in ACTIVATIONS[1:] for n in (CACHED, LARGE)]
        assert by_id(QUESTION, Measured(functions=tuple(times)))["S6"].holds is holds


def test_a_name_has_one_provenance_in_every_claim(answered: Answer) -> None:
    claimed: dict[str, Provenance] = {}
    for claim in answered.claims:
        for name, figure in claim.figures.items():
            assert claimed.setdefault(name, figure.provenance) is figure.provenance, name


def test_the_measured_answer_is_complete(answered: Answer) -> None:
    steps = {step.backend: step for step in answered.measured.steps}
    assert {"numpy", "scalar"} <= set(steps)
    assert all(step.seconds and step.seconds > 0 for step in (steps["numpy"], steps["scalar"]))
    assert steps["scalar"].seconds > steps["numpy"].seconds  # type: ignore[operator]
    timed = {time.function for time in answered.measured.functions}
    assert timed == {"multiply", *ACTIVATIONS} - {"identity"}
    assert all(claim.verdict for claim in answered.claims)


def available(steps: tuple[StepTime, ...]) -> list[StepTime]:
    """Return the times of the available backends; the others have a reason."""
    assert all(step.reason == probe(step.backend).reason for step in steps if probe(step.backend).absent)
    return [step for step in steps if probe(step.backend).available]


def test_a_step_that_would_take_too_long_is_left_out() -> None:
    config = RunConfig(layers=(10**6, 10**6, 10), batch_size=64)
    assert all(step.seconds is None and "would take" in step.reason for step in available(step_times(config)))
    found = by_id(config, Measured(steps=step_times(config)))["S3"]
    assert found.verdict == "no backend could run the step"
    assert found.holds is None


@pytest.mark.parametrize("loss", ["mse", "cross_entropy", "binary_cross_entropy"])
def test_any_loss_and_rate_can_be_timed(loss: str) -> None:
    config = RunConfig(layers=(6, 5, 4), loss=loss, learning_rate=1e9, batch_size=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark_case, "BUDGET", 0.01)
        patch.setattr(benchmark_case, "ROUND_SECONDS", 0.001)
        assert all(step.seconds for step in available(step_times(config))), loss


def test_nothing_is_measured_if_it_is_not_wanted() -> None:
    assert list(measure(QUESTION, wanted=lambda: False)) == []
    assert elementwise.element_times(1, lambda: False) == ()


def test_options_override_the_question() -> None:
    assert _chosen(None, NOTHING_GIVEN, None) == fitted(QUESTION)
    changed = _chosen("8-4-2", Options(batch_size="1e2", loss="cross_entropy"), None)
    assert changed == fitted(replace(QUESTION, layers=(8, 4, 2), batch_size=100, loss="cross_entropy"))


def test_the_command_prints_data_on_stdout() -> None:
    command = [sys.executable, "-m", "tuisim", "answer", "6-5-4", "--json"]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    document = json.loads(result.stdout)
    assert [claim["id"] for claim in document["claims"]] == ["S1", "S2", "S3", "S4", "S5", "S6", "S7"]
    assert document["claims"][0]["figures"]["layer_1"]["products"] == 30
    wrong = subprocess.run([*command[:-2], "6-0-4"], check=False, capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2
    assert "the size of hidden layer 1 is 0" in wrong.stderr


def test_the_conventions_have_every_tool() -> None:
    numbers = count(QUESTION).tools_per_example
    assert {convention.key for convention in CONVENTIONS} == {*numbers, "tuisim"} - {"parameters"}
    assert CONVENTIONS[-1] is TUISIM


def test_a_tool_shows_which_activations_are_in_its_number() -> None:
    ptflops = next(one for one in CONVENTIONS if one.key == "ptflops")
    for activations, expected in (
        (("relu", "silu"), Share.COUNTED),
        (("tanh", "identity"), Share.NONE),
        (("relu", "tanh"), Share.PART),
    ):
        assert ptflops.share(Phase.FORWARD, Kind.ACTIVATION, "activation", activations) is expected


@pytest.mark.parametrize("key", ["fvcore", "thop", "torch_forward", "flopscope", "tuisim"])
def test_the_operations_of_a_convention_add_up_to_its_number(key: str) -> None:
    ledger = count(QUESTION)
    convention = next(one for one in CONVENTIONS if one.key == key)
    bright = sum(
        getattr(row.operations, scalar)
        for row in ledger.rows
        for scalar in KINDS
        if convention.share(row.phase, row.kind, scalar) is Share.COUNTED
    )
    assert bright == (ledger.tools_per_example[key] if key != "tuisim" else 11_070)
