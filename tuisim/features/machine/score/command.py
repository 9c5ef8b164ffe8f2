"""`tuisim score`: predictions held against real runs of networks that no calibration has seen."""

from __future__ import annotations

import json
from statistics import median
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.backends import computed_dtype, names
from tuisim.cli.console import CommandConsole, styled
from tuisim.cli.options import Json
from tuisim.cli.progress import ProgressLine
from tuisim.errors import ConfigError, ExitCode, Mistake, nearest
from tuisim.features.machine.score.score import GOAL_MEDIAN, GOAL_WITHIN, Report
from tuisim.features.machine.score.score import score as run_score
from tuisim.predict import predictor as outlook
from tuisim.predict.cost_model import COVERED
from tuisim.units import layers_text

FULL_WIDTH = 116
"""Columns where there is no terminal to ask."""
WORST = 6
"""Networks that are named as furthest off."""


def score(
    *,
    backends: Annotated[str | None, Parameter(help="With commas; every one of the card unless said")] = None,
    json_: Json = False,
) -> int:
    """Score the predictions: at least forty networks for each backend of the card, predicted and then run."""
    asked = None if backends is None else [part.strip() for part in backends.split(",") if part.strip()]
    mistakes = [Mistake("backends", name, nearest(name, names())) for name in asked or () if name not in names()]
    mistakes += [Mistake("backends", "", "name at least one")] if asked == [] else []
    if mistakes:
        raise ConfigError(mistakes)
    with ProgressLine() as line:
        found = run_score(outlook.here(), asked, line.show)
    if json_:
        print(json.dumps(found.to_dict(), allow_nan=False))
    else:
        _print(found, CommandConsole(FULL_WIDTH))
    return ExitCode.DONE if found.passed else ExitCode.CHECK_FAILED


def _print(found: Report, console: Console) -> None:
    console.print(styled("[bold]{}[/] · predicted over actual seconds", found.machine), soft_wrap=True)
    table = _table(
        "backend", "networks", "5 %", "25 %", "median", "75 %", "95 %", "error", "within ¼", "in band", "known", "within ¼"
    )
    for one in found.scores:
        table.add_row(
            one.label,
            str(len(one.runs)),
            *(f"{ratio:.2f}" for ratio in one.ratios(0.05, 0.25, 0.5, 0.75, 0.95)),
            units.percent(one.median),
            units.percent(one.within, 0),
            units.percent(one.covered, 0),
            units.percent(median(one.known_errors)),
            units.percent(one.known_within, 0),
        )
    console.print(table)
    console.print(
        f"goals: median error {units.percent(GOAL_MEDIAN, 0)}, {units.percent(GOAL_WITHIN, 0)} within a quarter, "
        f"{units.percent(COVERED, 0)} in their band; known: the same error had the machine's speed during the run been known",
        style="dim",
        soft_wrap=True,
    )
    runs = sorted((run for one in found.scores for run in one.runs), key=lambda run: -abs(run.ratio - 1))[:WORST]
    worst = _table("furthest off", "batch", "backend", "optimizer", "predicted", "actual", "ratio", "slowed", "then")
    for run in runs:
        config = run.config
        dtype = computed_dtype(config.backend, config.dtype)
        worst.add_row(
            layers_text(config.layers), str(config.batch_size), f"{config.backend}@{config.threads} {dtype}",
            config.optimizer, units.duration(run.predicted.likely), units.duration(run.seconds), f"{run.ratio:.2f}",
            f"{run.slowdown:.2f} ×", f"{run.slowed_then:.2f} ×",
        )  # fmt: skip
    console.print()
    console.print(worst)
    console.print(
        "slowed: how many times as long as at its best this machine took for a little work just before the run; then: "
        "during it", style="dim", soft_wrap=True,
    )  # fmt: skip
    for what, why in found.skipped:
        console.print(f"{what}: {why}", soft_wrap=True)


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i == 0 else "right", no_wrap=True)
    return table
