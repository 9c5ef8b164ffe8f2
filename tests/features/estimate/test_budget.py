"""Budgets compared with brute force over made-up prices, at every edge, verified by real runs, and as a command."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cyclopts import App

from tests.support.made_prices import CONFIG, ROW, WEIGHT, MadePrices, bytes_of, seconds_of
from tests.support.provenance import unmarked
from tuisim import RunConfig
from tuisim.data import rows
from tuisim.engine import memory_check
from tuisim.engine.memory_check import largest
from tuisim.errors import ConfigError, DataError
from tuisim.features.estimate.budget import command as cli
from tuisim.features.estimate.budget.budget import Answer, LimitedBy, Limits, ask, beyond, budget
from tuisim.features.estimate.budget.shapes import SHAPES, Question
from tuisim.features.estimate.budget.verify import verify
from tuisim.features.estimate.budget.view import BudgetState
from tuisim.predict.prediction import Interval
from tuisim.provenance import Provenance

BRUTE = 600
"""Numbers that are tried one by one; no answer that a time limits is larger."""


def fits(config: RunConfig, limit: Limits) -> bool:
    taken = seconds_of(config)
    return (limit.seconds is None or (taken is not None and taken <= limit.seconds)) and (
        limit.memory is None or bytes_of(config).total <= limit.memory
    )


# ── against brute force ──


@pytest.mark.parametrize("question", list(Question))
@pytest.mark.parametrize(
    "limit", [Limits(0.03), Limits(0.2), Limits(0.3), Limits(None, 12_000), Limits(0.2, 11_000), Limits(0.1, 10_500)], ids=str
)
@pytest.mark.parametrize("layers", [(8, 6, 3), (8, 30, 10, 3)], ids=str)
def test_the_answer_is_the_largest_that_fits(question, limit, layers):
    config = replace(CONFIG, layers=layers)
    shape = SHAPES[question]
    most = min(shape.max_number, BRUTE)
    right = [number for number in range(1, most + 1) if fits(shape.of(config, number), limit)]
    found = ask(question, config, MadePrices(), limit)
    if len(right) == BRUTE:
        assert limit.seconds is None
        assert found.limited_by is LimitedBy.VOCABULARY  # memory has no say in epochs
        return
    assert found.value == (right[-1] if right else None)
    if found.value is None:
        assert "nothing fits" in found.words
        return
    assert found.config == shape.of(config, found.value)
    assert found.config is not None
    assert fits(found.config, limit)
    if found.limited_by is not LimitedBy.VOCABULARY:
        assert not fits(shape.of(config, found.value + 1), limit)


def test_few_predictions_are_made():
    for question in Question:
        prices = MadePrices()
        assert ask(question, CONFIG, prices, Limits(1e6, 10**12)).value is not None
        assert prices.asked < 60, question


def test_a_limit_of_the_description_has_its_words():
    deepest = ask(Question.DEEPEST, CONFIG, MadePrices(), Limits(1e9))
    assert deepest.limited_by is not None
    assert deepest.limited_by.words == "tuisim's maximum"
    assert deepest.words.endswith("; the maximum that tuisim supports")


def test_a_memory_without_the_data_says_so(tmp_path):
    file = replace(CONFIG, dataset=str(tmp_path / "rows.csv"), examples=None)
    assert (
        "without its data, whose size is known once the file is read"
        in ask(Question.WIDEST, file, MadePrices(), Limits(None, 12_000)).words
    )
    assert "without its data" not in ask(Question.WIDEST, CONFIG, MadePrices(), Limits(None, 12_000)).words


def test_only_the_free_memory_of_its_own_device_counts(monkeypatch):
    monkeypatch.setattr(memory_check, "available", lambda: 1_000)
    for predict, asked in ((MadePrices(), True), (MadePrices(foreign=True), False), (MadePrices(backend="cupy"), False)):
        words = ask(Question.WIDEST, CONFIG, predict, Limits(None, 12_000)).words
        assert ("more memory than the 1000 B that are free" in words) == asked, words


def test_one_more_that_takes_the_limit_as_written_is_not_described():
    """In the same words: 898 would take 1.00 s while 1.00 s are given, which would look like a contradiction."""
    config, predict = replace(CONFIG, examples=10), MadePrices(step=1e-3 - WEIGHT * 66 - 10 * ROW)
    found = ask(Question.EPOCHS, config, predict, Limits(0.9995))
    assert found.value == 999
    assert "1.00 s" not in found.words.partition(":")[2].partition(";")[2]
    assert found.words.endswith("one more would not fit")


def test_the_limit_is_named():
    limited = {one.question: one.limited_by for one in budget(CONFIG, MadePrices(), Limits(1.0, 10**9))}
    assert limited[Question.EPOCHS] is LimitedBy.SECONDS
    limited = {one.question: one.limited_by for one in budget(CONFIG, MadePrices(), Limits(1e9, 11_000))}
    assert limited == {
        Question.WIDEST: LimitedBy.MEMORY, Question.DEEPEST: LimitedBy.MEMORY, Question.EPOCHS: LimitedBy.SECONDS,
        Question.EXAMPLES: LimitedBy.MEMORY,
    }  # fmt: skip
    deepest = ask(Question.DEEPEST, CONFIG, MadePrices(), Limits(1e9))
    assert (deepest.value, deepest.limited_by) == (63, LimitedBy.VOCABULARY)
    assert deepest.config is not None
    assert len(deepest.config.layers) == 65


# ── shapes ──


def test_widths_keep_their_proportions_and_never_vanish():
    wide = SHAPES[Question.WIDEST]
    config = replace(CONFIG, layers=(8, 30, 10, 3))
    assert wide.of(config, 300).layers == (8, 300, 100, 3)
    assert wide.of(config, 1).layers == (8, 1, 1, 3)
    assert wide.of(config, 30) == config


def test_deeper_is_more_of_the_last_hidden_layer_with_its_activation():
    deep = SHAPES[Question.DEEPEST]
    config = replace(CONFIG, layers=(8, 30, 10, 3), hidden_activation=("relu", "tanh"))
    more, less = deep.of(config, 4), deep.of(config, 1)
    assert (more.layers, more.hidden_activation) == ((8, 30, 10, 10, 10, 3), ("relu", "tanh", "tanh", "tanh"))
    assert (less.layers, less.hidden_activation) == ((8, 30, 3), ("relu",))


def test_without_a_hidden_layer_width_and_depth_do_not_apply():
    found = budget(replace(CONFIG, layers=(8, 3)), MadePrices(), Limits(1.0))
    words = [one.words for one in found]
    assert all("no hidden layer" in one for one in words[:2])
    assert [one.value is None for one in found] == [True, True, False, False]


def test_a_schedule_that_needs_steps_begins_where_there_are_enough():
    config = replace(CONFIG, schedule="cosine", warmup_steps=25)
    for question in (Question.EPOCHS, Question.EXAMPLES):
        found = ask(question, config, MadePrices(), Limits(1e9))
        assert found.value is not None
    short = ask(Question.EPOCHS, config, MadePrices(), Limits(1e-9))
    assert "3 epochs" in short.words  # 30 steps are the first that are more than 25


# ── what cannot be ──


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "seconds"), ({"seconds": 0}, "seconds"), ({"seconds": -1.0}, "seconds"), ({"seconds": math.nan}, "seconds"),
        ({"seconds": math.inf}, "seconds"), ({"memory": 0}, "memory"), ({"memory": -5}, "memory"), ({"seconds": 1e31}, "seconds"),
        ({"seconds": True}, "seconds"), ({"memory": "much"}, "memory"),
    ],
)  # fmt: skip
def test_an_invalid_limit_is_refused_by_name(arguments: dict[str, Any], field: str):
    with pytest.raises(ConfigError) as caught:
        Limits(**arguments)
    assert [one.field for one in caught.value.mistakes] == [field]


def test_a_run_without_an_end_is_refused_except_for_its_most_epochs():
    endless = replace(CONFIG, epochs=None)
    with pytest.raises(ConfigError, match="epochs"):
        budget(endless, MadePrices(), Limits(1.0))
    assert (
        ask(Question.EPOCHS, endless, MadePrices(), Limits(1.0)).value
        == ask(Question.EPOCHS, CONFIG, MadePrices(), Limits(1.0)).value
    )
    assert ask(Question.WIDEST, endless, MadePrices(), Limits(None, 10**6)).value is not None


def test_a_file_of_unknown_length_is_refused_except_for_its_most_examples():
    file = replace(CONFIG, dataset="rows.csv", examples=None)
    assert rows(file) is None
    with pytest.raises(ConfigError, match="examples"):
        ask(Question.WIDEST, file, MadePrices(), Limits(1.0))
    assert ask(Question.EXAMPLES, file, MadePrices(), Limits(1.0)).value is not None


def test_if_nothing_fits_the_smallest_is_described():
    found = budget(CONFIG, MadePrices(), Limits(1e-9, 1))
    assert all(one.value is None and one.config is None for one in found)
    least = MadePrices()(replace(CONFIG, layers=(8, 1, 3)))
    assert f"{least.memory_bytes / 1024:.1f} KiB" in found[0].words
    assert all("the smallest" in one.words for one in found)


@pytest.mark.parametrize(
    "limit", [Limits(1e30), Limits(1e30, 10**30), Limits(1e9), Limits(1e-30), Limits(None, 10**30), Limits(None, 1)], ids=str
)
@pytest.mark.parametrize("layers", [(10**12, 10**12, 10), (10**12, 10), (8, 6, 3)], ids=str)
def test_any_size_has_an_answer(limit, layers):
    config = replace(CONFIG, layers=layers, examples=10**15)
    found = budget(config, MadePrices(), limit)
    json.dumps(BudgetState(config, limit, found).to_dict(), allow_nan=False)
    for answer in found:
        assert answer.words
        if answer.value is not None and answer.limited_by is not LimitedBy.VOCABULARY:
            shape = SHAPES[answer.question]
            assert fits(shape.of(config, answer.value), limit)
            assert not fits(shape.of(config, answer.value + 1), limit)


def test_if_only_the_steps_are_known_it_says_so():
    found = ask(Question.EPOCHS, CONFIG, MadePrices(known_wall=False), Limits(1.0))
    assert found.value == ask(Question.EPOCHS, CONFIG, MadePrices(), Limits(1.0)).value
    assert "the time is for the steps alone" in found.words


# ── the search ──


@pytest.mark.parametrize("edge", [1, 2, 3, 7, 100, 1_000, 65_537, 10**12 + 7, 10**29])
def test_the_search_finds_the_edge(edge):
    tried: list[int] = []

    def fits(number: int) -> bool:
        tried.append(number)
        return number <= edge

    assert largest(fits, 1, 10**30) == edge
    assert len(tried) < 120


def test_the_search_ends_if_nothing_or_everything_fits():
    assert largest(lambda _: False, 1, 10**30) is None
    assert largest(lambda _: True, 1, 10**30) == 10**30
    assert largest(lambda number: number == 1, 1, 2) == 1
    assert largest(lambda number: number == 1, 1, 1) == 1


def test_a_dip_is_passed_as_far_as_it_goes():
    def load(number: int) -> float:
        return 1.2 if number == 16 or number > 40 else 0.9

    assert beyond(lambda number: load(number) <= 1, 15, 100, lambda number: (number + 2,)) == 40
    assert beyond(lambda number: number <= 9, 9, 100, lambda number: (number + 1,)) == 9


# ── short real runs ──


def answered(predict: MadePrices | None = None, **changes: Any) -> Answer:
    return ask(Question.EPOCHS, replace(CONFIG, **changes), predict or MadePrices(), Limits(1e4))


def test_an_answer_is_verified_by_a_real_run():
    found = verify(answered(), 0.1)
    assert found.steps > 10
    assert found.measured is not None
    assert 0 < found.measured < 1e-2
    assert found.ratio == pytest.approx(found.predicted / found.measured)
    assert "measured" in found.words


def test_examples_beyond_every_memory_are_verified_with_fewer():
    assert verify(answered(examples=10**7, epochs=1), 0.1).steps > 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: answered(MadePrices(foreign=True)), "another machine"),
        (lambda: answered(MadePrices(step=5.0)), "too long"),
        (lambda: ask(Question.EPOCHS, CONFIG, MadePrices(), Limits(1e-9)), "nothing to verify"),
        (lambda: answered(dataset="nowhere.csv"), "nowhere.csv"),
        (lambda: answered(backend="nonsense"), "nonsense"),
    ],
)
def test_the_reason_for_no_verification_becomes_words(answer, words):
    found = verify(answer(), 0.1)
    assert (found.steps, found.measured, found.ratio) == (0, None, None)
    assert words in found.words


def test_a_network_that_no_memory_holds_is_not_tried():
    wide = replace(CONFIG, layers=(10**7, 10**7, 3))
    prediction = replace(MadePrices()(wide), step=Interval(0, 0, 0))
    answer = Answer(Question.WIDEST, "", 10**7, wide, prediction, LimitedBy.SECONDS)
    assert "free" in verify(answer, 0.1).words


# ── the document and the command ──


def test_every_number_of_the_document_has_its_provenance():
    found = budget(CONFIG, MadePrices(), Limits(1.0, 10**6))
    state = BudgetState(CONFIG, Limits(1.0, 10**6), found, checks={found[0].question: verify(found[0], 0.05)})
    document = json.loads(json.dumps(state.to_dict(), allow_nan=False))
    assert unmarked(document) == set()
    assert document["marks"]["answers[]"] == Provenance.PROJECTED
    assert document["limits"] == {"seconds": 1.0, "memory_bytes": 10**6}
    assert [one["question"] for one in document["answers"]] == list(Question)
    assert document["answers"][0]["verification"]["steps"] > 0
    assert document["answers"][1]["verification"] is None
    assert document["answers"][2]["config"]["epochs"] == document["answers"][2]["value"]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the predictors of the command, and return the names of the machines that were asked for."""
    asked: list[str] = []

    def of(name: str) -> SimpleNamespace:
        asked.append(name)
        return SimpleNamespace(predict=MadePrices(foreign=True))

    monkeypatch.setattr(cli.predictor, "own_predictor", lambda: SimpleNamespace(predict=MadePrices()))
    monkeypatch.setattr(cli.predictor, "named_predictor", of)
    return asked


def run(*arguments: str) -> int:
    app = App()
    app.command(cli.budget, name="budget")
    code = app(["budget", *arguments], exit_on_error=False, print_error=False, result_action="return_value")
    assert isinstance(code, int)
    return code


OPTIONS = ("8-6-3", "--examples", "100", "--batch-size", "10", "--epochs", "4")


def test_the_command_prints_the_same_as_json(made_up, capsys):
    assert run(*OPTIONS, "--seconds", "1", "--memory", "1MB", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    expected = budget(replace(CONFIG, threads=None), MadePrices(), Limits(1.0, 10**6))
    assert [one["value"] for one in document["answers"]] == [one.value for one in expected]


def test_the_command_prints_a_table_and_words(made_up, capsys):
    assert run(*OPTIONS, "--seconds", "1min", "--memory", "2GiB") == 0
    out = capsys.readouterr().out
    for expected in ("8-6-3", "1 min 00 s and 2.0 GiB given", "limited by", "most examples", "made up"):
        assert expected in out


def test_the_command_uses_another_machines_profile_and_verifies(made_up, capsys):
    assert run(*OPTIONS, "--seconds", "1", "--as", "that one", "--verify") == 0
    assert made_up == ["that one"]
    out = capsys.readouterr().out
    assert "as on another machine" in out
    assert "cannot be verified on this one" in out


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ((), ["seconds"]), (("--seconds", "soon"), ["seconds"]), (("--seconds", "0", "--memory", "-1"), ["seconds", "memory"]),
        (("--seconds", "10", "--learning-rate", "-1"), ["learning_rate"]), (("--memory", "2 boxes"), ["memory"]),
    ],
)  # fmt: skip
def test_the_command_names_every_mistake(made_up, arguments, fields):
    with pytest.raises(ConfigError) as caught:
        run(*OPTIONS, *arguments)
    assert [one.field for one in caught.value.mistakes] == fields


def test_without_a_machine_profile_it_says_to_calibrate():
    with pytest.raises(DataError, match="calibrate"):
        run(*OPTIONS, "--seconds", "1")


def test_a_budget_has_no_prediction_if_nothing_fits():
    state = BudgetState(CONFIG, Limits(1e-9), budget(CONFIG, MadePrices(), Limits(1e-9)))
    assert state.prediction is None
    assert state.to_dict()["machine"] is None
