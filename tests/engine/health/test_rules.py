"""Each rule against runs that have its fault and runs that do not."""

from __future__ import annotations

import re

import pytest

from tests.health.cases import TRIALS, digits
from tests.health.table import right, written
from tuisim.engine.health.data_rules import unscaled_inputs
from tuisim.engine.health.rules import MAX_HINTS, RULES, hints

MIN_RUNS, MIN_RIGHT = 10, 0.9
EDITS = {
    "zero_initializer": "initializer",
    "mismatched_loss": "loss",
    "dead_outputs": "output_activation",
    "rate_too_high": "learning_rate",
    "exploding_gradients": "clip_norm",
    "vanishing_gradients": "hidden_activation",
    "dead_units": "hidden_activation",
    "rate_too_low": "learning_rate",
    "overfitting": "early_stopping",
}
"""The field that each rule's edit sets. Imbalanced classes have none; `unscaled_inputs` has its own test, since the arrays of its
trial are used as given; and a lower rate does not end the plateau of a loss that is all noise."""


@pytest.mark.parametrize("name", TRIALS)
def test_a_rule_judges_nine_of_ten_runs_rightly(name):
    trial = TRIALS[name]()
    for faulty in (True, False):
        found = right(trial, faulty=faulty)
        assert len(found) >= MIN_RUNS
        assert sum(found) >= MIN_RIGHT * len(found), f"faulty={faulty}: {found}"


def test_the_manual_has_every_rule_with_nine_of_ten_right():
    lines = written()
    named = {line.split("`")[1] for line in lines if "`" in line}
    assert named == {rule.__name__ for rule in RULES} & set(TRIALS)
    for line in lines[2:]:
        for good, runs in re.findall(r"(\d+) of (\d+)", line):
            assert int(runs) >= MIN_RUNS
            assert int(good) >= MIN_RIGHT * int(runs), line


def test_every_rule_states_its_source():
    for rule in RULES:
        assert re.search(r"(19|20)\d\d|CS231n|PyTorch|OpenBLAS", rule.__doc__ or ""), rule.__name__


def test_at_most_three_hints_and_none_that_another_explains():
    found = hints(digits(learning_rate=1e9, output_activation="relu", hidden_activation="relu").reading())
    assert 1 <= len(found) <= MAX_HINTS
    dead = [hint.name for hint in hints(digits(learning_rate=10.0).reading())]
    assert dead == ["rate_too_high", "dead_units"]  # no plateau beside them


def test_a_converged_network_and_good_runs_have_no_hints():
    assert hints(digits(learning_rate=1.0, hidden_activation="tanh", epochs=150, validation=0).reading()) == ()
    assert hints(digits().reading()) == ()


def test_the_same_run_has_the_same_hints():
    first, second = (hints(digits(learning_rate=3.0, seed=3).reading()) for _ in range(2))
    assert first == second != ()


@pytest.mark.parametrize("name", sorted(EDITS))
def test_an_edit_ends_the_fault(name):
    """At most twice: a loss and an activation that do not match its targets are two edits."""
    trial = TRIALS[name]()
    ended = []
    for case in trial.faulty:
        run, hint = case, trial.rule(case.reading())
        for _ in range(2):
            if hint is not None:
                assert hint.field == EDITS[name] or name == "mismatched_loss"
                run = run.edited(hint)
                hint = trial.rule(run.reading())
        ended.append(hint is None)
    assert sum(ended) >= MIN_RIGHT * len(ended), ended


def test_scaling_ends_the_fault_of_unscaled_inputs():
    case = digits(scaling="none", learning_rate=0.01)
    hint = unscaled_inputs(case.reading())
    assert hint is not None
    assert (hint.field, hint.value) == ("scaling", "standard")
    assert unscaled_inputs(case.edited(hint).reading()) is None


def test_an_edit_proposes_a_rate_that_learns():
    high = hints(digits(learning_rate=1e9).reading())[0]
    low = hints(digits(learning_rate=1e-6).reading())[0]
    assert (high.field, high.value) == (low.field, low.value) == ("learning_rate", 0.1)
    assert high.remedy == "learning rate 0.1"
