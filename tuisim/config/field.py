"""A field of a configuration, declared once: form, flags, TOML, help and error messages are made from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuisim.errors import nearest
from tuisim.units import AUTO, MAX_COUNT, parse_count, parse_share


@dataclass(frozen=True, slots=True)
class Field:
    """A field's group, help, bounds and choices. Its name, type and default come from the dataclass that it annotates."""

    group: str
    hint: str
    """A unit or a remark next to the field in the form, at most 17 characters."""
    help: str
    none: str = ""
    """The meaning of None, at most 22 characters; empty if the field cannot be None."""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    """An exclusive lower bound."""
    below: float | None = None
    """An exclusive upper bound."""
    expects: str = ""
    """The description of a valid value, if it does not follow from the bounds: `a column's name or number`."""
    parser: Callable[[str], Any] | None = None
    """Read a text in place of the type's own parser. Raises ValueError with a remedy."""
    check: Callable[[Any], str] | None = None
    """Return why a value is invalid, or an empty text; takes the place of the checks of type and bounds."""
    writer: Callable[[Any], str] | None = None
    """Write a value so that `parser` reads it."""
    auto: bool = False
    """True if the data may decide the number: AUTO, written `auto`."""
    counted: bool = True
    """True if the operations and bytes of a step depend on the field."""
    name: str = ""
    type: type = str
    several: bool = False
    """True if a tuple of values is also valid."""
    default: Any = None

    @property
    def label(self) -> str:
        """The name with spaces."""
        return self.name.replace("_", " ")

    @property
    def option(self) -> str:
        """The flag of the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def blank(self) -> str:
        """The meaning of an empty text, in words: None if the field may be None, else the default."""
        return self.none or self.text(self.default)

    @property
    def default_text(self) -> str:
        """The default in words."""
        return self.none if self.default is None else self.text(self.default)

    @property
    def expected(self) -> str:
        """The description of a valid value: `a whole number, 1 or more (none: until stopped)`."""
        if self.expects or self.choices:
            return self.expects or "one of " + ", ".join(self.choices)
        if self.type is bool:
            return "true or false"
        words = "a whole number" if self.type is int else "a number"
        if self.above is not None:
            words += f" above {self.above:g}"
        elif self.minimum is not None and (self.maximum is not None or self.below is not None):
            words += f" from {self.minimum:g} to " + (
                f"less than {self.below:g}" if self.maximum is None else f"{self.maximum:,g}"
            )
        elif self.minimum is not None:
            words += f", {self.minimum:g} or more"
        return words + ", or auto" * self.auto + (f" (none: {self.none})" if self.none else "")

    def parse(self, text: str) -> Any:
        """Return the value that `text` means. Raises ValueError with a remedy; `refusal` checks the value."""
        if self.none and text.lower() == "none":
            return None
        if self.parser is not None:
            return self.parser(text)
        if self.auto and text.lower() == "auto":
            return AUTO
        if self.type is int:
            return parse_count(text)
        if self.type is float:
            return parse_share(text)
        if self.type is bool:
            return {"yes": True, "true": True, "no": False, "false": False}.get(text.lower(), text)
        return tuple(part.strip() for part in text.split(",")) if self.several and "," in text else text

    def read(self, text: str) -> Any:
        """Return the valid value that `text` means; an empty text means None if the field may be None, else the default.

        Raises ValueError with a remedy.
        """
        value = self.parse(text.strip()) if text.strip() else None if self.none else self.default
        if remedy := self.refusal(value):
            raise ValueError(remedy)
        return value

    def text(self, value: Any) -> str:
        """Return a text that `parse` reads as `value`; an empty one for None."""
        if value is None:
            return ""
        if self.writer is not None:
            return self.writer(value)
        if self.auto and value == AUTO:
            return "auto"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.12g}"
        return ",".join(value) if isinstance(value, tuple) else str(value)

    def refusal(self, value: Any) -> str:
        """Return the remedy for an invalid value; an empty text for a valid one."""
        if (value is None and self.none) or (self.auto and value == AUTO):
            return ""
        if self.check is not None:
            return self.check(value)
        if self.type is bool:
            return "" if isinstance(value, bool) else self.expected
        if self.type is not str:
            return "" if self._within(value) else self.expected
        values = value if self.several and isinstance(value, tuple) else (value,)
        for one in values:
            if not isinstance(one, str) or not (one or self.choices):
                return self.expected
            if self.choices and one not in self.choices:
                return nearest(one, self.choices)
        return ""

    def _within(self, value: Any) -> bool:
        if not is_number(value) or (self.type is int and not isinstance(value, int)):
            return False
        maximum = MAX_COUNT if self.maximum is None and self.type is int else self.maximum
        return (
            (self.minimum is None or value >= self.minimum)
            and (maximum is None or value <= maximum)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def is_number(value: object) -> bool:
    """Return whether `value` is a finite real number that a float holds."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False
