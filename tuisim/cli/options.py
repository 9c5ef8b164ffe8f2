"""A run's options on the command line: one flag per field of RunConfig, and a TOML file that the flags override."""

from __future__ import annotations

from dataclasses import field, fields, make_dataclass
from typing import Annotated, Any, TypeAlias

from cyclopts import Group, Parameter

from tuisim import data
from tuisim.cli.console import note
from tuisim.config import FIELDS, Field, RunConfig
from tuisim.config.toml import read_toml
from tuisim.config.values import from_mapping
from tuisim.data.suggestions import suggestions
from tuisim.errors import ConfigError, Mistake, printable
from tuisim.units import layers_text, parse_duration

_METAVARS = {int: "N", float: "X", str: "NAME", bool: ""}
_GROUPS = {name: Group(name.title(), sort_key=place) for place, name in enumerate({one.group: None for one in FIELDS.values()})}


def _option(declared: Field) -> tuple[str, Any, Any]:
    """Return the name, the annotation and the default of the dataclass field for a flag."""
    choices = f" [{' | '.join(declared.choices)}]" if declared.choices else ""
    default = "" if "by default" in declared.help else f" (default: {declared.default_text})"
    parameter = Parameter(
        name=declared.option,
        help=declared.help + choices + default,
        metavar=_METAVARS[declared.type],
        negative=f"--no-{declared.name}" if declared.type is bool else "",
        group=_GROUPS[declared.group],
    )
    return declared.name, Annotated[(bool if declared.type is bool else str) | None, parameter], field(default=None)


Options: Any = make_dataclass(
    "Options",
    [_option(declared) for name, declared in FIELDS.items() if name != "layers"],
    frozen=True,
    kw_only=True,
    namespace={"__module__": __name__},
)
"""The texts of every field of RunConfig but the layers; None for a flag that is not given."""
NOTHING_GIVEN = Options()

RunOptions: TypeAlias = Annotated[Options, Parameter(name="*")]
Layers: TypeAlias = Annotated[str | None, Parameter(help=FIELDS["layers"].help, metavar="LAYERS")]
ConfigFile: TypeAlias = Annotated[
    str | None, Parameter(help="A TOML file with any of the run's options; flags override it.", metavar="FILE")
]
Json: TypeAlias = Annotated[
    bool, Parameter(name="--json", negative="", show_default=False, help="Print everything as JSON on stdout.")
]


def resolve(layers: str | None, options: Any, config: str | None) -> RunConfig:
    """Return the run that a file and flags describe, fitted to its data; flags override the file.

    Says on stderr what the data decided of the layers. Raises ConfigError or DataError.
    """
    chosen = described(layers, options, config)
    fitted = data.fitted(chosen)
    if fitted.layers != chosen.layers:
        note(f"chosen by the data: {_network_words(fitted)}")
    for one in suggestions(chosen):
        if not one.refused:
            note(one.words)
    return fitted


def described(layers: str | None, options: Any, config: str | None) -> RunConfig:
    """Return the run that a file and flags describe, before the data decide anything of it. Raises ConfigError."""
    given: dict[str, Any] = read_toml(config) if config is not None else {}
    if layers is not None:
        given["layers"] = layers
    given |= {one.name: value for one in fields(options) if (value := getattr(options, one.name)) is not None}
    return from_mapping(given, printable(config) if config is not None else "options")


def _network_words(config: RunConfig) -> str:
    """Return the network that the data decided: `64-64-10, loss cross_entropy, dataset digits`."""
    return f"{layers_text(config.layers)}, loss {config.loss}, dataset {printable(config.dataset)}"


def length(seconds: str) -> float:
    """Return the seconds that the option of that name means. Raises ConfigError."""
    try:
        return parse_duration(seconds)
    except ValueError as error:
        raise ConfigError([Mistake("seconds", seconds, str(error))]) from None
