"""`tuisim project`: the time to train a network for any volume of data, and the projections of known networks."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter

from tuisim import units
from tuisim.cli.console import note, print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.errors import ConfigError, ExitCode, Mistake
from tuisim.features.estimate.known import view as known_view
from tuisim.features.estimate.known.projection import MARKS, KnownState, project_known
from tuisim.features.estimate.times import PILOT_HELP
from tuisim.features.estimate.volume import view
from tuisim.features.estimate.volume.estimate import TimeEstimate, estimate, estimate_volumes
from tuisim.features.estimate.volume.view import VolumeState
from tuisim.predict import predictor as prices
from tuisim.predict import profiles
from tuisim.provenance import Provenance
from tuisim.terminal.lines import BLANK, Frame, Line


def project(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    pilot: Annotated[bool, Parameter(negative="--no-pilot", help=PILOT_HELP)] = True,
    known: Annotated[bool, Parameter(negative="", help="Include the known networks; without LAYERS, show only these")] = False,
    json_: Json = False,
) -> int:
    """Estimate the training time: at --examples, or from the digits to a trillion examples, on every backend measured."""
    alone = known and layers is None and config is None
    chosen = None if alone else resolve(layers, options, config)
    own = profiles.own()
    if own.trouble:
        note(own.trouble)
    price = partial(prices.priced, timed=prices.timed_once()) if pilot else prices.priced
    one = estimate(chosen, price) if chosen is not None and chosen.examples is not None else None
    volumes = estimate_volumes(chosen, price) if chosen is not None and one is None else ()
    networks = project_known(prices.best_entry(), *_sizes(options), -1) if known else None

    def page(frame: Frame) -> list[Line]:
        lines: list[Line] = []
        if chosen is not None:
            state = VolumeState(chosen, one, volumes, -1, missing="" if own.trouble else prices.missing())
            lines += [*view.page(state, frame), *([BLANK] if known else [])]
        return [*lines, *(known_view.page(networks, frame) if networks is not None else [])]

    print_result(json_, lambda: _document((one,) if one else volumes, networks), page)
    return ExitCode.DONE


def _document(estimates: tuple[TimeEstimate, ...], networks: KnownState | None) -> dict[str, Any]:
    config = estimates[0].config if estimates else None  # volume and epochs are each estimate's own
    given, counted = ("examples", "epochs", "batch"), ("steps_per_epoch", "operations")
    marks = {f"known_networks.{name}": mark for name, mark in MARKS.items()} if networks else {}
    if estimates:
        marks |= {"config": Provenance.GIVEN, "parameters": Provenance.COUNTED, "projections[].rows[]": Provenance.PROJECTED}
        marks |= {f"projections[].{name}": Provenance.GIVEN for name in given}
        marks |= {f"projections[].{name}": Provenance.COUNTED for name in counted}
    return {
        "config": config and config.to_dict() | {"examples": None, "epochs": None},
        "parameters": config and config.parameter_count,
        "projections": [one.to_dict() for one in estimates],
        "known_networks": networks and networks.to_dict(),
        "marks": marks,
    }


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
