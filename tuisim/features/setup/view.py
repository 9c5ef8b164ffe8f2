"""A run in a few lines of text."""

from __future__ import annotations

from tuisim.backends import precision
from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.terminal.columns import number
from tuisim.units import layers_text


def summary(config: RunConfig, examples: int | None) -> tuple[str, ...]:
    """Return the run in four lines: network, training, data and machine."""
    resolved = config.resolved()
    names = " ".join(dict.fromkeys(config.activations))
    volume = f"{number(examples, 13)} examples per epoch" if examples is not None else "all examples of the file"
    validation = f", {resolved.validation:.3g} validation" if resolved.validation else ""
    ending = "until stopped" if resolved.epochs is None else f"{number(resolved.epochs, 13)} epoch{'s' * (resolved.epochs != 1)}"
    schedule = f" {resolved.schedule}" if resolved.schedule != "constant" else ""
    rule = f"{resolved.optimizer} {resolved.learning_rate:g}{schedule}"
    return (
        f"{_shape(config)} {names} · {resolved.initializer}",
        f"{resolved.loss} · {rule} · batch {number(resolved.batch_size, 13)} · {ending}",
        f"{printable(resolved.dataset, 40)}: {volume}{validation}",
        f"{precision(resolved.backend, resolved.dtype)} · {resolved.backend}@{resolved.threads} · seed {resolved.seed}",
    )


def _shape(config: RunConfig) -> str:
    """Return the sizes with dashes, or the first, the number of the hidden ones, and the last."""
    text = layers_text(config.layers)
    if len(text) <= 30:
        return text
    first, *hidden, last = config.layers
    return f"{number(first, 9)} … {len(hidden)} hidden … {number(last, 9)}"
