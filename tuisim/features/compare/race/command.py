"""`tuisim compare`: one run on several backends or thread counts, in turn."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tuisim.cli.console import ProgressLine, print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, length, resolve
from tuisim.errors import ExitCode
from tuisim.features.compare.entries import entries
from tuisim.features.compare.race import race
from tuisim.features.compare.race.race import SECONDS, Standing
from tuisim.features.compare.race.view import RaceState, page, progress_words


def compare(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    backends: Annotated[
        str, Parameter(help="Two or more, separated by commas; numpy@2 is NumPy on 2 threads, numpy@all on 1, 2, 4 …")
    ] = "scalar,numpy",
    seconds: Annotated[str, Parameter(help="Total time of all rounds: 10, 2min")] = f"{SECONDS:g}",
    json_: Json = False,
) -> int:
    """Compare backends or thread counts on one network: speed, set-up costs, and whether they compute the same."""
    chosen, standings = resolve(layers, options, config), list[tuple[Standing, ...]]()
    with ProgressLine() as line:

        def tell(now: tuple[Standing, ...]) -> None:
            standings[:] = [now]
            line.show(progress_words(now))

        found = race.compare(chosen, entries(backends), length(seconds), tell)
    print_result(json_, found.to_dict, lambda frame: page(RaceState(found.config, standings[0], found), frame))
    return ExitCode.DONE if len(found.rows) > 1 else ExitCode.NO_BACKEND
