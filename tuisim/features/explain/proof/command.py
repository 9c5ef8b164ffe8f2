"""`tuisim prove`: the count, the gradient and the backend of a network, each compared with something independent."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from tuisim import units
from tuisim.accounting import count
from tuisim.cli.console import ProgressLine, print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.errors import ExitCode
from tuisim.features.explain.proof import proof
from tuisim.features.explain.proof.proof import ProofProgress
from tuisim.features.explain.proof.view import ProofState, page


def prove(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    force: Annotated[bool, Parameter(negative="", help="Run the proof even if plain Python takes long")] = False,
    json_: Json = False,
) -> int:
    """Check a network's count, gradient and backend against plain Python and central differences."""
    with ProgressLine() as line:

        def tell(now: ProofProgress) -> None:
            scalar = f"about {units.duration(now.scalar_seconds)} of plain Python in all, projected"
            line.show(f"{now.check}: {now.done:,} of {now.of:,} ({scalar})")

        found = proof.prove(resolve(layers, options, config), force=force, tell=tell)
    print_result(json_, found.to_dict, lambda frame: page(ProofState(found.config, count(found.config), proof=found), frame))
    return ExitCode.DONE if found.passed else ExitCode.CHECK_FAILED
