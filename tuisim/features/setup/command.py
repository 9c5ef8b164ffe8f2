"""`tuisim count`, the ledger of a network, without running anything; and the app, its form filled from the command line."""

from __future__ import annotations

from functools import partial

from tuisim.accounting import count as count_operations
from tuisim.cli.console import print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, described, resolve
from tuisim.errors import ExitCode
from tuisim.features.setup.cost_view import count_page


def count(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    json_: Json = False,
) -> int:
    """Count the operations, bytes and memory of a network by layer, phase and kind, without running it."""
    ledger = count_operations(resolve(layers, options, config))
    print_result(json_, ledger.to_dict, partial(count_page, ledger))
    return ExitCode.DONE


def open_app(layers: Layers = None, *, options: RunOptions = NOTHING_GIVEN, config: ConfigFile = None) -> int:
    """Open the app, its form filled with a run."""
    from tuisim.tui import run_app

    return run_app(described(layers, options, config))
