"""A run's options on the command line: the fields of RunConfig, once, with a file beneath them.

A field's name in kebab-case is its flag and the text under it in RunConfig is its help, so neither is typed twice.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import field, fields, make_dataclass
from itertools import pairwise
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter

from tuisim.config import COUNTS, OPTIONAL, REALS, RunConfig
from tuisim.config.toml import from_mapping, read_toml
from tuisim.errors import ConfigError, Mistake, printable
from tuisim.units import parse_count, parse_duration


def _help_texts() -> dict[str, str]:
    """The text under each field of RunConfig."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(RunConfig)))
    body = tree.body[0].body  # type: ignore[attr-defined]
    texts: dict[str, str] = {}
    for statement, below in pairwise(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and isinstance(below, ast.Expr):
            texts[statement.target.id] = inspect.cleandoc(str(ast.literal_eval(below.value)))
    return texts


def _option(name: str, help_: str) -> tuple[str, Any, Any]:
    type_: Any = bool if name == "shuffle" else str
    return (
        name,
        Annotated[
            type_ | None,
            Parameter(name=f"--{name.replace('_', '-')}", help=help_, negative="--no-shuffle" if name == "shuffle" else ""),
        ],
        field(default=None),
    )


_HELP = _help_texts()
Options: Any = make_dataclass(
    "Options",
    [_option(f.name, _HELP.get(f.name, "")) for f in fields(RunConfig) if f.name != "layers"],
    frozen=True,
    kw_only=True,
    namespace={"__module__": __name__},
)
"""Every field of RunConfig but the layers, each a flag that may be left out."""
NOTHING_GIVEN = Options()

RunOptions: TypeAlias = Annotated[Options, Parameter(name="*")]
Layers: TypeAlias = Annotated[str | None, Parameter(help="Sizes with dashes, inputs first: 64-32-10")]
ConfigFile: TypeAlias = Annotated[str | None, Parameter(help="A TOML file with any of the options; flags go over it")]
Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative="", help="All of it as JSON on stdout")]


def resolve(layers: str | None, options: Any, config: str | None) -> RunConfig:
    """The run meant: the file's values, with what was written on the command line over them. Raises ConfigError."""
    given: dict[str, Any] = read_toml(config) if config is not None else {}
    if layers is not None:
        given["layers"] = layers
    given |= {f.name: getattr(options, f.name) for f in fields(options) if getattr(options, f.name) is not None}
    values: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, value in given.items():
        try:
            values[name] = _value(name, value)
        except ValueError as error:
            mistakes.append(Mistake(name, value, str(error)))
    try:
        resolved = from_mapping(values, printable(config) if config is not None else "options")
    except ConfigError as error:
        raise ConfigError([*mistakes, *(m for m in error.mistakes if m.field not in {w.field for w in mistakes})]) from None
    if mistakes:
        raise ConfigError(mistakes)
    return resolved


def length(seconds: str) -> float:
    """Seconds of the option of that name. Raises ConfigError."""
    try:
        return parse_duration(seconds)
    except ValueError as error:
        raise ConfigError([Mistake("seconds", seconds, str(error))]) from None


def _value(name: str, text: Any) -> Any:
    """What a flag's text, or a file's value, means. Raises ValueError with a remedy."""
    if not isinstance(text, str):
        return text
    if name in OPTIONAL and text.lower() == "none":
        return None
    if name in COUNTS:
        return parse_count(text)
    if name in REALS:
        try:
            return float(text)
        except ValueError:
            raise ValueError("not a number; write 0.01 or 1e-2") from None
    if name == "hidden_activation" and "," in text:
        return tuple(part.strip() for part in text.split(","))
    return text
