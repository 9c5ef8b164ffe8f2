"""`tuisim crossover`: which of two backends is faster at which width and batch, and at which size that changes."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tuisim import units
from tuisim.cli.console import ProgressLine, print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, length, resolve
from tuisim.errors import ConfigError, ExitCode, Mistake, printable, visible
from tuisim.features.compare.crossover.sweep import BATCHES, SECONDS, WIDTHS, Sweep
from tuisim.features.compare.crossover.view import CrossoverState, page, progress_words
from tuisim.features.compare.entries import entries, pairs

LAYERS = "30-30-30"
"""Only the number of layers counts."""


def crossover(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    backends: Annotated[
        str | None, Parameter(help="Two, with a comma, such as numpy,scalar or numpy@1,numpy@2; by default the fastest two")
    ] = None,
    seconds: Annotated[
        str, Parameter(help="Time for the whole sweep, 30 or 5min; sizes that it does not suffice for stay blank")
    ] = f"{SECONDS:g}",
    widths: Annotated[str, Parameter(help="Units of every layer, separated by commas")] = ",".join(map(str, WIDTHS)),
    batches: Annotated[str, Parameter(help="Examples per step, separated by commas")] = ",".join(map(str, BATCHES)),
    json_: Json = False,
    csv: Annotated[bool, Parameter(name="--csv", negative="", help="Print the raw table as CSV on stdout")] = False,
) -> int:
    """Map which of two backends or thread counts is faster at which width and batch; of LAYERS only their number counts."""
    if json_ and csv:
        raise ConfigError([Mistake("csv", "--json --csv", "give one of them")])
    entered = pairs()[0] if backends is None else entries(backends)
    chosen = resolve(LAYERS if layers is None and config is None else layers, options, config)
    budget = length(seconds)
    sweep = Sweep(chosen, entered, budget, _sizes("widths", widths), _sizes("batches", batches))
    with ProgressLine() as line:
        found = sweep.run(lambda progress: line.show(progress_words(progress, budget)))
    if csv:
        print(visible(found.csv(), "\n"), end="")
    else:
        state = CrossoverState(found.config, found.entries, crossover=found)
        print_result(json_, found.to_dict, lambda frame: page(state, frame))
    return ExitCode.DONE if found.rule.measured else ExitCode.RUN_FAILED


def _sizes(field: str, text: str) -> list[int]:
    """Read `8,64,1e3` as whole numbers. Raises ConfigError."""
    try:
        return [units.parse_count(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError([Mistake(field, printable(text), str(error))]) from None
