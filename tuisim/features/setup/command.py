"""`tuisim count`: the ledger of a network, without running anything."""

from __future__ import annotations

import json
from functools import partial

from tuisim.accounting import count as count_operations
from tuisim.cli.console import print_page
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
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
    if json_:
        print(json.dumps(ledger.to_dict()))
    else:
        print_page(partial(count_page, ledger))
    return 0
