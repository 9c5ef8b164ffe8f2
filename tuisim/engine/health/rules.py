"""All rules in the order in which their hints are shown, and the choice of the few that are."""

from __future__ import annotations

from collections.abc import Callable

from tuisim.engine.health import data_rules, gradient_rules, learning_rules, network_rules, thread_rules
from tuisim.engine.health.hint import Hint
from tuisim.engine.health.reading import HealthReading

MAX_HINTS = 3
"""Hints shown at a time."""
RULES: tuple[Callable[[HealthReading], Hint | None], ...] = (
    thread_rules.waiting_threads,
    network_rules.zero_initializer,
    network_rules.mismatched_loss,
    network_rules.dead_outputs,
    data_rules.unscaled_inputs,
    learning_rules.rate_too_high,
    gradient_rules.exploding_gradients,
    gradient_rules.vanishing_gradients,
    gradient_rules.dead_units,
    learning_rules.rate_too_low,
    learning_rules.overfitting,
    data_rules.class_imbalance,
    learning_rules.plateau,
)
"""The fault that explains others comes before them."""
_NOT_LEARNING = {"zero_initializer", "dead_outputs", "rate_too_high", "vanishing_gradients", "dead_units"}
_EXPLAINED: dict[str, set[str]] = {
    "plateau": {*_NOT_LEARNING, "rate_too_low", "overfitting"},
    "rate_too_low": _NOT_LEARNING,
    "exploding_gradients": {"unscaled_inputs"},
    "dead_units": {"zero_initializer"},
    "vanishing_gradients": {"zero_initializer"},
}
"""The rules whose hint is left out if one of these others has fired, which explains it."""


def hints(reading: HealthReading) -> tuple[Hint, ...]:
    """Return the hints on a run, the most important first, at most MAX_HINTS."""
    found = [hint for rule in RULES if (hint := rule(reading)) is not None]
    names = {hint.name for hint in found}
    return tuple(hint for hint in found if not names & _EXPLAINED.get(hint.name, set()))[:MAX_HINTS]
