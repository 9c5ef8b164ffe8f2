"""Configurations from plain values and from texts, and back: what a file, flags or a form hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tuisim.config.run_config import FIELDS, RunConfig
from tuisim.errors import ConfigError, Mistake, nearest

Texts = dict[str, str]
"""Texts by field names; an empty one means None if the field may be None, else its default."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The meaning of a form's texts."""

    config: RunConfig | None
    """The run; None while a text is wrong."""
    countable: RunConfig | None
    """The run, or one that costs as much; None while a field that the counts depend on is wrong."""
    mistakes: tuple[Mistake, ...] = ()

    def fitted(self, fit: Callable[[RunConfig], RunConfig | None]) -> Reading:
        """Return the same reading with what `fit` lets the data decide."""
        config, countable = (None if one is None else fit(one) for one in (self.config, self.countable))
        return Reading(config, countable, self.mistakes)

    def with_mistake(self, field: str, value: object, remedy: str) -> Reading:
        """Return the same reading with one more mistake, which does not change what can be counted."""
        return Reading(None, self.countable, (*self.mistakes, Mistake(field, value, remedy)))


def from_mapping(values: Mapping[str, Any], source: str = "configuration") -> RunConfig:
    """Return the configuration that plain values or texts mean. Raises ConfigError with every mistake, unknown names too."""
    mistakes = [
        Mistake(name, value, f"{source}: {nearest(name, tuple(FIELDS))}") for name, value in values.items() if name not in FIELDS
    ]
    known: dict[str, Any] = {}
    for name, value in values.items():
        if name in FIELDS:
            try:
                known[name] = FIELDS[name].parse(value) if isinstance(value, str) else value
            except ValueError as error:
                mistakes.append(Mistake(name, value, str(error)))
    if "layers" in values and "layers" not in known:  # any that are right: the other fields are checked all the same
        names = known.get("hidden_activation")
        known["layers"] = (1,) * (2 + (len(names) if isinstance(names, tuple | list) else 0))
    try:
        config = RunConfig(**known)
    except ConfigError as error:
        mistakes.extend(error.mistakes)
    if mistakes:
        raise ConfigError(mistakes)
    return config


def from_texts(texts: Mapping[str, str]) -> Reading:
    """Read all fields of a form at once, every mistake with its field."""
    given: dict[str, Any] = {}
    for name, field in FIELDS.items():
        blank = None if field.none else "" if field.default is None else field.default
        given[name] = texts.get(name, "").strip() or blank
    try:
        config = from_mapping(given)
    except ConfigError as error:
        wrong = {mistake.field for mistake in error.mistakes}
        counted = any(FIELDS[name].counted for name in wrong)
        rest = {name: value for name, value in given.items() if name not in wrong}
        return Reading(None, None if counted else from_mapping(rest), error.mistakes)
    return Reading(config, config)


def to_texts(config: RunConfig) -> Texts:
    """Return the texts that `from_texts` reads as `config`."""
    return {name: field.text(getattr(config, name)) for name, field in FIELDS.items()}


def to_words(config: RunConfig) -> list[str]:
    """Return the words of the command line that mean `config`: the layers, and a flag for each field not at its default."""
    words = [FIELDS["layers"].text(config.layers)]
    for name, field in FIELDS.items():
        value = getattr(config, name)
        if name == "layers" or value == field.default:
            continue
        if isinstance(value, bool):
            words.append(field.option if value else f"--no-{name}")
        else:
            words += [field.option, field.text(value) or "none"]
    return words
