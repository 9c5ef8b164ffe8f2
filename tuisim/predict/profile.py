"""The machine profile: the prices of a step's operations on one machine, by backend, thread count and dtype."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from tuisim.backends import names
from tuisim.config.choices import DTYPES, MAX_THREADS
from tuisim.errors import DataError, printable
from tuisim.predict.machine import Machine
from tuisim.predict.prices import MAX_ERROR, Prices, short, terms
from tuisim.predict.run_costs import RunCosts
from tuisim.predict.work import PRODUCTS, Work
from tuisim.program import Kind
from tuisim.provenance import Provenance

MAX_NUMBER = 1e24
MAX_SECONDS = 1e6
"""Maximum seconds of any single cost: eleven days."""
KIND, VERSION = "machine card", 5
Value = TypeVar("Value")


class ProfileError(DataError):
    """A profile with an impossible value; the message names the place and the value."""


@dataclass(frozen=True)
class ProfileEntry:
    """The prices of one backend at a thread count and dtype."""

    backend: str
    threads: int
    dtype: str
    device: str
    """The processor or GPU, in words."""
    made: str
    """ISO 8601, UTC."""
    networks: int
    """Networks that were measured for it."""
    peak_flops: float
    """Multiplications and additions per second of a large square product."""
    peak_bytes: float
    """Bytes read and written per second by a large copy."""
    best_rate: float
    """Multiplications and additions per second of the best whole step among those networks."""
    evaluation: float
    """Seconds of an evaluation over the price of its operations: the median."""
    run: RunCosts
    prices: Prices
    copy_rate: float | None = None
    """Bytes per second copied to a device with a memory of its own; None without one."""

    @property
    def moment(self) -> datetime:
        """The time it was made; without an offset, as of UTC."""
        found = datetime.fromisoformat(self.made)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def label(self) -> str:
        """Backend and threads: `numpy@1`."""
        return f"{self.backend}@{self.threads}"

    @property
    def key(self) -> str:
        """The key in words: `numpy@1 float32`."""
        return f"{self.label} {self.dtype}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, measured ones to four figures."""
        plain: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("peak_flops", "peak_bytes", "best_rate", "evaluation"):
            plain[name] = short(plain[name])
        plain["copy_rate"] = None if self.copy_rate is None else short(self.copy_rate)
        return plain | {"run": self.run.to_dict(), "prices": self.prices.to_dict()}


@dataclass(frozen=True)
class MachineProfile:
    """The entries of one machine."""

    machine: Machine
    entries: tuple[ProfileEntry, ...]

    def entry(self, backend: str, threads: int, dtype: str) -> ProfileEntry | None:
        """Return the entry with these, or None."""
        return next((one for one in self.entries if (one.backend, one.threads, one.dtype) == (backend, threads, dtype)), None)

    def with_entry(self, entry: ProfileEntry) -> MachineProfile:
        """Return this profile with `entry` in place of the one of its key."""
        others = tuple(one for one in self.entries if one.key != entry.key)
        return replace(self, entries=(*others, entry))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, by the keys of the entries."""
        return {
            "machine": asdict(self.machine),
            "entries": {entry.key: entry.to_dict() for entry in self.entries},
        }

    def document(self) -> dict[str, Any]:
        """Return the document that `tuisim calibrate --json` prints."""
        body = self.to_dict()
        return {
            "machine": body["machine"],
            "entries": [{"key": key, **entry} for key, entry in body["entries"].items()],
            "marks": {
                "machine": Provenance.COUNTED,
                "entries[]": Provenance.MEASURED,
                "entries[].threads": Provenance.GIVEN,
                "entries[].networks": Provenance.COUNTED,
                "entries[].evaluation": Provenance.PROJECTED,
                "entries[].prices": Provenance.PROJECTED,
            },
        }

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> MachineProfile:
        """Return the profile in a document's body. Raises ProfileError."""
        reader = _Reader(body, "")
        machine = reader.inside("machine")
        texts = {field.name: machine.text(field.name) for field in fields(Machine) if field.name != "cores"}
        entries = reader.inside("entries")
        return MachineProfile(
            machine=Machine(cores=machine.number("cores", int), **texts),
            entries=tuple(_entry(entries.inside(key)) for key in entries.values),
        )


def _entry(reader: _Reader) -> ProfileEntry:
    run = reader.inside("run")
    return ProfileEntry(
        backend=reader.one_of("backend", names()),
        threads=reader.number("threads", int, low=1, high=MAX_THREADS),
        dtype=reader.one_of("dtype", DTYPES),
        device=reader.text("device"),
        made=reader.date("made"),
        networks=reader.number("networks", int),
        peak_flops=reader.number("peak_flops", float, low=1.0),
        peak_bytes=reader.number("peak_bytes", float, low=1.0),
        best_rate=reader.number("best_rate", float, low=1.0),
        evaluation=reader.number("evaluation", float),
        run=RunCosts(**{field.name: run.seconds(field.name) for field in fields(RunCosts)}),
        prices=_prices(reader.inside("prices"), reader.text("backend")),
        copy_rate=reader.number_or_none("copy_rate"),
    )


def _prices(reader: _Reader, backend: str) -> Prices:
    kinds = reader.inside("kinds")
    for kind in sorted(kind.value for kind in PRODUCTS):
        if not any(isinstance(name, str) and name.split(" ")[0] == kind for name in kinds.values):
            raise ProfileError(f"{kinds.at(kind)}: missing")
    return Prices(
        kinds={name: _price(kinds.inside(name), name) for name in kinds.values},
        backend=backend,
        largest=reader.number("largest", int),
        errors=tuple(reader.errors("errors")),
    )


def _price(reader: _Reader, name: str) -> dict[str, float]:
    try:
        kind = Kind(name.split(" ", maxsplit=1)[0])
    except ValueError:
        raise ProfileError(f"{reader.at('')}: not a kind of operation") from None
    known = terms(Work(kind, None, 1, 1, 1, 0, 0.0))
    for term in reader.values:
        if term not in known:
            raise ProfileError(f"{reader.at(term)}: not a term of this cost")
    price = {term: reader.seconds(term) for term in reader.values}
    if not any(price.values()):
        raise ProfileError(f"{reader.at('')}: no cost above 0")
    return price


class _Reader:
    """The values of a document by name; a wrong one is refused with its place."""

    def __init__(self, values: Any, place: str) -> None:
        if not isinstance(values, Mapping):
            raise ProfileError(f"{place or 'the profile'}: not an object")
        self.values = values
        self._place = place

    def at(self, name: str) -> str:
        """Return the place of a value in words."""
        return printable(f"{self._place}.{name}".strip("."), 80)

    def _get(self, name: str) -> Any:
        if name not in self.values:
            raise ProfileError(f"{self.at(name)}: missing")
        return self.values[name]

    def inside(self, name: str) -> _Reader:
        return _Reader(self._get(name), self.at(name))

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str) or len(value) > 500:
            raise ProfileError(f"{self.at(name)}: not a string")
        return printable(value, 500)

    def one_of(self, name: str, known: Collection[str]) -> str:
        value = self.text(name)
        if value not in known:
            raise ProfileError(f"{self.at(name)} = {printable(value)}: one of {', '.join(known)}")
        return value

    def number(self, name: str, kind: Callable[[Any], Value], low: float = 0.0, high: float = MAX_NUMBER) -> Value:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ProfileError(f"{self.at(name)} = {printable(value)}: a number from {low:g} to {high:g}")
        if kind is int and kind(value) != value:
            raise ProfileError(f"{self.at(name)} = {printable(value)}: an integer")
        return kind(value)

    def date(self, name: str) -> str:
        value = self.text(name)
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ProfileError(f"{self.at(name)} = {printable(value, 40)}: not a date and time") from None
        return value

    def seconds(self, name: str) -> float:
        return self.number(name, float, high=MAX_SECONDS)

    def number_or_none(self, name: str) -> float | None:
        return None if self._get(name) is None else self.number(name, float, low=1e-12)

    def errors(self, name: str) -> list[float]:
        value = self._get(name)
        good = isinstance(value, list) and all(
            isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= MAX_ERROR for one in value
        )
        if not good:
            raise ProfileError(f"{self.at(name)}: not a list of numbers between -{MAX_ERROR:.2f} and {MAX_ERROR:.2f}")
        return sorted(map(float, value))
