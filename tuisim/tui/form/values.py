"""What is typed in the setup form, as texts, and what it means: a RunConfig, or every mistake by field.

It knows no widget: texts in, a configuration out, and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from tuisim.backends import precision
from tuisim.config import COUNTS, FIELDS, REALS, RunConfig, usable_cores
from tuisim.config.choices import HYPERPARAMETERS, LEARNING_RATES
from tuisim.errors import ConfigError, Mistake, printable
from tuisim.terminal.columns import number
from tuisim.units import layers_text, parse_count, parse_layers

Values = dict[str, str]
"""The form's texts by the field names of RunConfig; blank is the field's default."""

NOT_COUNTED = frozenset({"learning_rate", "shuffle", "initializer", "backend", "threads", "seed", "target", "task"})
"""Fields that change no count of one step: the ledger can be shown while they are wrong."""

DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(RunConfig) if field.default is not MISSING}
DEFAULTS["epochs"] = None
"""Blank fields mean RunConfig's defaults, but a run that is watched goes on until it is stopped."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The form as understood."""

    config: RunConfig | None
    """What would be run; none while anything is wrong."""
    countable: RunConfig | None
    """What can be counted; none while a field that the counts depend on is wrong."""
    mistakes: tuple[Mistake, ...] = ()


def read(values: Mapping[str, str]) -> Reading:
    """Understand the whole form at once, every mistake with its field."""
    taken: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name in FIELDS:
        text = values.get(name, "").strip()
        try:
            taken[name] = _READERS.get(name, _text)(text) if text else DEFAULTS.get(name, "")
        except ValueError as error:
            mistakes.append(Mistake(name, text, str(error)))
    wrong = {mistake.field for mistake in mistakes}
    sound = {name: value for name, value in taken.items() if name not in wrong}
    # The remaining fields are still to be checked, so an unreadable one stands aside with a value that is no mistake.
    sound.setdefault("layers", (1,) * (2 + _per_layer_names(taken)))
    try:
        config = RunConfig(**sound)
    except ConfigError as error:
        mistakes.extend(error.mistakes)
        wrong = {mistake.field for mistake in mistakes}
        config = None
    if not mistakes:
        return Reading(config, config)
    return Reading(None, _countable(taken, wrong), tuple(mistakes))


def write(config: RunConfig) -> Values:
    """A configuration as the texts that mean it."""
    hidden = config.hidden_activation
    return {
        **{name: getattr(config, name) or "" for name in FIELDS},
        **{name: _number(getattr(config, name)) for name in (*COUNTS, *REALS)},
        "layers": layers_text(config.layers),
        "hidden_activation": hidden if isinstance(hidden, str) else ",".join(hidden),
        "shuffle": "yes" if config.shuffle else "no",
    }


def unused_optimizer_fields(optimizer: str) -> Values:
    """The fields that other optimizers read and this one does not, with their defaults."""
    read = HYPERPARAMETERS[optimizer]
    used = (*read, "subnormals") if read else ()  # without buffers no subnormal number can stay
    return {name: text for name, text in OPTIMIZER_FIELDS.items() if name not in used}


def placeholders(values: Mapping[str, str]) -> Values:
    """What a blank field would mean, in words, given the others."""
    rate = LEARNING_RATES.get(values.get("optimizer", ""))
    return {
        "layers": "64-32-10",
        "learning_rate": "" if rate is None else f"{rate:g} for {values['optimizer']}",
        **OPTIMIZER_FIELDS,
        "weight_decay": "0, none",
        "clip_norm": "none",
        "schedule_steps": "by the run's length" if values.get("schedule", "") != "constant" else "",
        "warmup_steps": "0, none",
        "batch_size": str(DEFAULTS["batch_size"]),
        "epochs": "until stopped",
        "examples": "all, or 10,000",
        "validation": str(DEFAULTS["validation"]),
        "threads": f"{max(1, usable_cores() - 1)}, cores less one",
        "seed": "0",
        "target": "last column",
    }


def summary(config: RunConfig, examples: int | None) -> tuple[str, ...]:
    """The run in four lines: the network, how it learns, on what, and how it is computed."""
    resolved = config.resolved()
    names = " ".join(dict.fromkeys(config.activations))
    volume = f"{number(examples, 13)} examples an epoch" if examples is not None else "as many examples as it holds"
    held_out = f", {resolved.validation:.3g} held out" if resolved.validation else ""
    ending = "until stopped" if resolved.epochs is None else f"{number(resolved.epochs, 13)} epoch{'s' * (resolved.epochs != 1)}"
    moves = f" {resolved.schedule}" if resolved.schedule != "constant" else ""
    rule = f"{resolved.optimizer} {resolved.learning_rate:g}{moves}"
    return (
        f"{_shape(config)} {names} · {resolved.initializer}",
        f"{resolved.loss} · {rule} · batch {number(resolved.batch_size, 13)} · {ending}",
        f"{printable(resolved.dataset, 40)}: {volume}{held_out}",
        f"{precision(resolved.backend, resolved.dtype)} · {resolved.backend}@{resolved.threads} · seed {resolved.seed}",
    )


def _shape(config: RunConfig) -> str:
    """The sizes with dashes, or the first, how many, and the last."""
    text = layers_text(config.layers)
    if len(text) <= 30:
        return text
    first, *hidden, last = config.layers
    return f"{number(first, 9)} … {len(hidden)} hidden … {number(last, 9)}"


def _countable(taken: Mapping[str, Any], wrong: set[str]) -> RunConfig | None:
    if not wrong <= NOT_COUNTED:
        return None
    return RunConfig(**{name: value for name, value in taken.items() if name not in wrong})


def _per_layer_names(taken: Mapping[str, Any]) -> int:
    hidden = taken.get("hidden_activation")
    return len(hidden) if isinstance(hidden, tuple) else 0


def _number(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.12g}"


def _text(text: str) -> str:
    return text


def _names(text: str) -> str | tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",")) if "," in text else text


def _decimal(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("not a number; write 0.01 or 1e-2") from None


def _fraction(text: str) -> float:
    """`0.2` or `20 %`."""
    return _decimal(text.removesuffix("%")) / 100 if text.endswith("%") else _decimal(text)


def _yes(text: str) -> bool:
    return text == "yes"


_READERS: dict[str, Callable[[str], Any]] = {
    "layers": parse_layers,
    "hidden_activation": _names,
    **dict.fromkeys(COUNTS, parse_count),
    **dict.fromkeys(REALS, _decimal),
    "validation": _fraction,
    "shuffle": _yes,
}

OPTIMIZER_FIELDS: Values = {
    **{name: _number(DEFAULTS[name]) for names in HYPERPARAMETERS.values() for name in names},
    "subnormals": DEFAULTS["subnormals"],
}
"""The fields that not every optimizer reads, with their defaults."""
