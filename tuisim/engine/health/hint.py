"""A hint: what is wrong with a run, the figure that shows it, and the edit that may fix it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Hint:
    """One line about a run."""

    name: str
    """The name of the rule: `rate_too_high`."""
    text: str
    """The fault in words."""
    figure: str
    """The measured figure that the rule judges, in words."""
    field: str | None = None
    """The field of the configuration that an edit would set; None if no field fixes the fault."""
    value: Any = None
    """The value that the edit would set."""

    @property
    def remedy(self) -> str:
        """The edit in words: `learning rate 0.01`; empty if there is none."""
        if self.field is None:
            return ""
        value = f"{self.value:g}" if isinstance(self.value, float) else str(self.value)
        return f"{self.field.replace('_', ' ')} {value}"

    @property
    def words(self) -> str:
        """The fault and its figure in one line."""
        return f"{self.text}: {self.figure}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"name": self.name, "text": self.text, "figure": self.figure, "field": self.field, "value": self.value}
