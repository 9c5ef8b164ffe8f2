"""`tuisim budget`: from a time or a memory to the largest network or volume that fits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from tuisim import units
from tuisim.cli.console import ProgressLine, print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.errors import ConfigError, ExitCode, Mistake
from tuisim.features.estimate.budget import budget as budgets
from tuisim.features.estimate.budget.budget import Answer, Limits
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification, verify
from tuisim.features.estimate.budget.view import NAMES, BudgetState, page
from tuisim.predict import predictor


def budget(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    seconds: Annotated[str | None, Parameter(help="Limit of the wall time: 600, 10min, 2h, 3d")] = None,
    memory: Annotated[str | None, Parameter(help="Limit of the memory: 500MB, 2GiB")] = None,
    verify_: Annotated[bool, Parameter(name="--verify", negative="", help="Verify each answer by a run of two seconds")] = False,
    as_: Annotated[str | None, Parameter(name="--as", help="Predict for another machine: name of its imported profile")] = None,
    json_: Json = False,
) -> int:
    """Find the widest, the deepest, the most epochs and the most examples of this network that fit a time or a memory."""
    limits = _limits(seconds, memory)
    chosen = resolve(layers, options, config)
    by = predictor.own_predictor() if as_ is None else predictor.named_predictor(as_)
    answers = budgets.budget(chosen, by.predict, limits)
    state = BudgetState(chosen, limits, answers, -1, checks=_verified(answers) if verify_ else {})
    print_result(json_, state.to_dict, partial(page, state))
    return ExitCode.DONE


def _limits(seconds: str | None, memory: str | None) -> Limits:
    """Parse the limits. Raises ConfigError with all mistakes."""
    limits: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    parsers: tuple[tuple[str, str | None, Callable[[str], float]], ...]
    parsers = ("seconds", seconds, units.parse_duration), ("memory", memory, units.parse_size)
    for name, text, parse in parsers:
        try:
            limits[name] = None if text is None else parse(text)
        except ValueError as error:
            mistakes.append(Mistake(name, text, str(error)))
    if mistakes:
        raise ConfigError(mistakes)
    return Limits(**limits)


def _verified(answers: tuple[Answer, ...]) -> dict[Question, Verification]:
    checks: dict[Question, Verification] = {}
    with ProgressLine() as line:
        for answer in answers:
            if answer.prediction is not None:
                line.show(f"verifying: {NAMES[answer.question]}")
                checks[answer.question] = verify(answer)
    return checks
