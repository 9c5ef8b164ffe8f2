"""`tuisim project`: the time to train a network for any volume of data, and the projections of known networks."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from tuisim import units
from tuisim.cli.console import line, note, print_page
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.errors import ConfigError, ExitCode, Mistake
from tuisim.features.estimate.known import view as known_view
from tuisim.features.estimate.known.projection import MARKS, KnownState, project_known
from tuisim.features.estimate.volume import view
from tuisim.features.estimate.volume.estimate import TimeEstimate, document, estimate, estimate_volumes
from tuisim.features.estimate.volume.view import VolumeState
from tuisim.predict import predictor as prices
from tuisim.predict import profiles


def project(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    known: Annotated[bool, Parameter(negative="", help="Include the known networks; without LAYERS, show only these")] = False,
    json_: Json = False,
) -> int:
    """Estimate the training time: at --examples, or from the digits to a trillion examples, on every backend measured."""
    alone = known and layers is None and config is None
    chosen = None if alone else resolve(layers, options, config)
    own = profiles.own()
    if own.trouble:
        note(own.trouble)
    price = prices.priced
    one: TimeEstimate | None = None
    volumes: tuple[TimeEstimate, ...] = ()
    if chosen is not None and chosen.examples is not None:
        one = estimate(chosen, price)
    elif chosen is not None:
        volumes = estimate_volumes(chosen, price)
    networks = project_known(prices.best_rate(), *_sizes(options), -1) if known else None
    if json_:
        print(json.dumps(_document(volumes or (one,) if one else volumes, networks), allow_nan=False))
        return ExitCode.DONE
    if chosen is not None:
        state = VolumeState(chosen, one, volumes, -1, missing="" if own.trouble else prices.missing())
        print_page(partial(view.page, state))
    if networks is not None:
        if chosen is not None:
            line("")
        print_page(partial(known_view.page, networks))
    return ExitCode.DONE


def _document(estimates: tuple[TimeEstimate, ...], networks: KnownState | None) -> dict[str, object]:
    found, marks = document(estimates)
    known = {f"known_networks.{name}": mark for name, mark in MARKS.items()} if networks else {}
    return found | {"known_networks": networks and networks.to_dict(), "marks": marks | known}


def _sizes(options: object) -> tuple[int | None, int | None]:
    """Return volume and epochs as written on the command line; None if they are not."""
    sizes: list[int | None] = []
    for name in ("examples", "epochs"):
        text = getattr(options, name)
        try:
            value = None if text is None or text.lower() == "none" else units.parse_count(text)
        except ValueError as error:
            raise ConfigError([Mistake(name, text, str(error))]) from None
        if value is not None and value < 1:
            raise ConfigError([Mistake(name, text, "a whole number, 1 or more")])
        sizes.append(value)
    return sizes[0], sizes[1]
