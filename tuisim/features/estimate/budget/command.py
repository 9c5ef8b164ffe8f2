"""`tuisim budget`: work backwards, from a time or a memory to the largest network or volume that fits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.backends import precision
from tuisim.cli.console import CommandConsole, styled
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.cli.progress import ProgressLine
from tuisim.errors import ConfigError, ExitCode, Mistake, printable
from tuisim.features.estimate.budget.budget import Answer, Budget, Limit
from tuisim.features.estimate.budget.budget import budget as solve
from tuisim.features.estimate.budget.shapes import Question
from tuisim.features.estimate.budget.verify import Verification, verify
from tuisim.predict import predictor as outlook
from tuisim.units import layers_text

PIPED_WIDTH = 120
"""Columns where no terminal has to hold them."""
NAMES = {
    Question.WIDEST: "widest", Question.DEEPEST: "deepest", Question.EPOCHS: "most epochs", Question.EXAMPLES: "most examples",
}  # fmt: skip
Parsed = TypeVar("Parsed", float, int)


def budget(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    seconds: Annotated[str | None, Parameter(help="Wall time there is: 600, 10min, 2h, 3d")] = None,
    memory: Annotated[str | None, Parameter(help="Memory there is: 500MB, 2GiB")] = None,
    verify_: Annotated[
        bool, Parameter(name="--verify", negative="", help="Hold each answer against a run of two seconds")
    ] = False,
    as_: Annotated[str | None, Parameter(name="--as", help="As on the machine whose card was imported under this name")] = None,
    json_: Json = False,
) -> int:
    """The widest, the deepest, the most epochs and the most examples of this network that fit a time or a memory."""
    limit = _limit(seconds, memory)
    chosen = resolve(layers, options, config)
    found = solve(chosen, outlook.here() if as_ is None else outlook.of(as_), limit)
    verified = _verified(found) if verify_ else {}
    if json_:
        print(json.dumps(found.to_dict(verified), allow_nan=False))
        return ExitCode.DONE
    _print(found, verified, CommandConsole(PIPED_WIDTH))
    return ExitCode.DONE


def _limit(seconds: str | None, memory: str | None) -> Limit:
    """What was written, all mistakes at once."""
    mistakes: list[Mistake] = []
    wall = _read("seconds", seconds, units.parse_duration, mistakes)
    bytes_ = _read("memory", memory, units.parse_size, mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return Limit(wall, bytes_)


def _read(name: str, text: str | None, parse: Callable[[str], Parsed], mistakes: list[Mistake]) -> Parsed | None:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        mistakes.append(Mistake(name, text, str(error)))
        return None


def _verified(found: Budget) -> dict[Question, Verification]:
    checks: dict[Question, Verification] = {}
    with ProgressLine() as line:
        for answer in found.answers:
            if answer.prediction is not None:
                line.show(f"verifying: {NAMES[answer.question]}")
                checks[answer.question] = verify(answer)
    return checks


def _print(found: Budget, verified: Mapping[Question, Verification], console: Console) -> None:
    config, first = found.config, found.prediction
    where = "" if first is None else f" · {first.backend}@{first.threads}" + (" as on another machine" if first.foreign else "")
    dtype = precision(config.backend if first is None else first.backend, config.dtype)
    console.print(
        styled(
            "[bold]{}[/] · {} · batch {} · {}{} · {} given · answers projected",
            layers_text(config.layers),
            config.optimizer,
            units.count(config.batch_size),
            dtype,
            where,
            _limits(found.limit),
        ),
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "at most", "takes", "from", "to", "memory", "limited by"):
        table.add_column(heading, justify="left" if heading in ("", "limited by") else "right", no_wrap=True)
    for answer in found.answers:
        if answer.value is not None:
            table.add_row(*_cells(answer))
    if table.row_count:
        console.print(table)
    for answer in found.answers:
        console.print(f"{NAMES[answer.question]}: {printable(answer.words, 500)}", soft_wrap=True)
        if (check := verified.get(answer.question)) is not None:
            console.print(f"  {printable(check.words, 700)}", soft_wrap=True)
    if first is not None:
        console.print(f"by the card of {printable(first.machine, 200)}", style="dim", soft_wrap=True)


def _cells(answer: Answer) -> tuple[str, ...]:
    one = answer.prediction
    assert one is not None
    assert answer.limited_by is not None
    band = one.wall_seconds or one.seconds
    return (
        NAMES[answer.question],
        units.short_count(answer.value, 19),
        *(units.duration(end) if band else "" for end in ((band.likely, band.low, band.high) if band else (0.0,) * 3)),
        units.size(one.memory_bytes),
        answer.limited_by.words,
    )


def _limits(limit: Limit) -> str:
    seconds = [] if limit.seconds is None else [units.duration(limit.seconds)]
    return " and ".join([*seconds, *([] if limit.memory is None else [units.size(limit.memory)])])
