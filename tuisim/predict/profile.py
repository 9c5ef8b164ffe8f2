"""The machine card: what the operations of a step cost on one machine, by backend, thread count and dtype.

Small enough to read and to hand on. It does not know where it is kept, nor whether it is of the machine at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any, TypeVar

from tuisim.backends import names
from tuisim.config.choices import DTYPES, MAX_THREADS
from tuisim.errors import DataError, printable
from tuisim.measure.machine_speed import UNKNOWN, Contention, Slowdown, SpeedSample
from tuisim.predict.machine import Machine
from tuisim.predict.price import Point, Price, short, terms
from tuisim.predict.prices import MOST_ERROR, Prices
from tuisim.predict.run_costs import RunCosts
from tuisim.predict.work import PRODUCTS, Work
from tuisim.program import Kind

LARGEST = 1e24
"""Of any number on a card."""
MOST_SECONDS = 1e6
"""Of any one thing that is priced: eleven days."""
MOST_SIZE = 2**53
"""Of a product on it; a float still holds every whole number up to there."""
KIND, VERSION = "machine card", 4
Made = TypeVar("Made")


class ProfileError(DataError):
    """A card with a value that cannot be; the message names the place and the value."""


@dataclass(frozen=True)
class ProfileEntry:
    """One backend at a thread count and dtype."""

    backend: str
    threads: int
    dtype: str
    device: str
    """What computed, in words."""
    made: str
    """When: ISO 8601, UTC."""
    networks: int
    """Measured for it."""
    speed: SpeedSample
    """What these prices belong to: the machine at its best, or as near to it as it was."""
    contention: Contention
    """How the machine fared meanwhile."""
    disturbed: float
    """Share of them that were measured while the machine was slowed, and corrected for it."""
    peak_flops: float
    """Multiplications and additions per second of a large square product, or of the quickest product of those networks."""
    peak_bytes: float
    """Bytes read and written per second by a large copy."""
    best_rate: float
    """Multiplications and additions per second of the best whole step among those networks."""
    evaluation: float
    """Seconds of an evaluation over the price of its operations: the median."""
    run: RunCosts
    prices: Prices
    copy_rate: float | None = None
    """Bytes per second copied to a device with a memory of its own; none where there is none."""
    launch: float | None = None
    """Of the host's time, seconds for handing one step over to such a device: the mean over those networks."""

    @property
    def moment(self) -> datetime:
        """When it was made; without an offset, as of UTC."""
        found = datetime.fromisoformat(self.made)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def label(self) -> str:
        return f"{self.backend}@{self.threads}"

    @property
    def key(self) -> str:
        return f"{self.label} {self.dtype}"

    def to_dict(self) -> dict[str, Any]:
        plain: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("disturbed", "peak_flops", "peak_bytes", "best_rate", "evaluation"):
            plain[name] = short(plain[name])
        for name in ("copy_rate", "launch"):
            plain[name] = None if plain[name] is None else short(plain[name])
        plain["speed"] = _pair(self.speed)
        plain["contention"] = {field.name: _pair(getattr(self.contention, field.name)) for field in fields(Contention)}
        return plain | {"run": self.run.to_dict(), "prices": self.prices.to_dict()}


def _pair(both: SpeedSample | Slowdown) -> dict[str, float]:
    return {name: short(value) for name, value in asdict(both).items()}


@dataclass(frozen=True)
class MachineProfile:
    """One machine's entries."""

    machine: Machine
    entries: tuple[ProfileEntry, ...]

    @property
    def speed(self) -> SpeedSample:
        """The machine at its best, as far as any entry knows."""
        return reduce(SpeedSample.better, (entry.speed for entry in self.entries), UNKNOWN)

    def entry(self, backend: str, threads: int, dtype: str) -> ProfileEntry | None:
        return next((one for one in self.entries if (one.backend, one.threads, one.dtype) == (backend, threads, dtype)), None)

    def with_entry(self, entry: ProfileEntry) -> MachineProfile:
        """With `entry` in place of the one before it."""
        others = tuple(one for one in self.entries if one.key != entry.key)
        return replace(self, entries=(*others, entry))

    def to_dict(self) -> dict[str, Any]:
        return {
            "machine": asdict(self.machine),
            "entries": {entry.key: entry.to_dict() for entry in self.entries},
        }

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> MachineProfile:
        """The card in a document's body. Raises ProfileError."""
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
        threads=reader.number("threads", int, least=1, most=MAX_THREADS),
        dtype=reader.one_of("dtype", DTYPES),
        device=reader.text("device"),
        made=reader.date("made"),
        networks=reader.number("networks", int),
        speed=SpeedSample(**reader.inside("speed").pair(1e-9)),
        contention=_contention(reader.inside("contention")),
        disturbed=reader.number("disturbed", float),
        peak_flops=reader.number("peak_flops", float, least=1.0),
        peak_bytes=reader.number("peak_bytes", float, least=1.0),
        best_rate=reader.number("best_rate", float, least=1.0),
        evaluation=reader.number("evaluation", float),
        run=RunCosts(**{field.name: run.seconds(field.name) for field in fields(RunCosts)}),
        prices=_prices(reader.inside("prices"), reader.text("backend")),
        copy_rate=reader.number_or_none("copy_rate"),
        launch=reader.number_or_none("launch"),
    )


def _contention(reader: _Reader) -> Contention:
    found = Contention(**{field.name: Slowdown(**reader.inside(field.name).pair(1e-3)) for field in fields(Contention)})
    if found.low.calls > found.high.calls or found.low.work > found.high.work:
        raise ProfileError(f"{reader.at('low')}: above high")
    return found


def _prices(reader: _Reader, backend: str) -> Prices:
    kinds = reader.inside("kinds")
    for kind in sorted(kind.value for kind in PRODUCTS):
        if not any(isinstance(name, str) and name.split(" ")[0] == kind for name in kinds.values):
            raise ProfileError(f"{kinds.at(kind)}: missing")
    return Prices(
        kinds={name: _price(kinds.inside(name), name) for name in kinds.values},
        step=reader.seconds("step"),
        backend=backend,
        errors=tuple(reader.errors("errors")),
    )


def _price(reader: _Reader, name: str) -> Price:
    try:
        kind = Kind(name.split(" ", maxsplit=1)[0])
    except ValueError:
        raise ProfileError(f"{reader.at('')}: no kind of operation") from None
    law, least = _terms(reader, "law", kind), _terms(reader, "least", kind) if "least" in reader.values else {}
    points = tuple(map(_point, reader.texts("measured"))) if "measured" in reader.values else ()
    for term, seconds in least.items():  # both to four figures
        if seconds > law.get(term, 0.0) * (1 + 1e-3):
            raise ProfileError(f"{reader.at('least')}.{term}: above the price")
    if not any(law.values()):
        raise ProfileError(f"{reader.at('law')}: no price above nothing")
    return Price(law, points, least)


def _terms(reader: _Reader, name: str, kind: Kind) -> dict[str, float]:
    """Seconds for one of each term."""
    found = reader.inside(name)
    known = terms(Work(kind, None, 1, 1, 1, 0, 0.0))
    for term in found.values:
        if term not in known:
            raise ProfileError(f"{found.at(term)}: no term of such a price")
    return {term: found.seconds(term) for term in found.values}


def _point(text: str) -> Point:
    parts = text.split()
    try:
        batch, inputs, outputs = map(int, parts[:3])
        out, seconds = map(float, parts[3:])
        sizes = all(1 <= size <= MOST_SIZE for size in (batch, inputs, outputs))
        if not sizes or not (0 <= out <= 1 and 0 < seconds <= MOST_SECONDS):
            raise ValueError
    except ValueError:
        raise ProfileError(f"measured: {printable(text)}: batch, inputs, outputs, share out of cache and seconds") from None
    return Point(batch, inputs, outputs, out, seconds)


class _Reader:
    """Values of a document by name, each refused with its place where it is not what it must be."""

    def __init__(self, values: Any, place: str) -> None:
        if not isinstance(values, Mapping):
            raise ProfileError(f"{place or 'the card'}: not an object")
        self.values = values
        self._place = place

    def at(self, name: str) -> str:
        """Where that is, in words."""
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
            raise ProfileError(f"{self.at(name)}: not a text")
        return printable(value, 500)

    def one_of(self, name: str, known: Collection[str]) -> str:
        value = self.text(name)
        if value not in known:
            raise ProfileError(f"{self.at(name)} = {printable(value)}: one of {', '.join(known)}")
        return value

    def texts(self, name: str) -> list[str]:
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ProfileError(f"{self.at(name)}: not a list of texts")
        return value

    def number(self, name: str, kind: Callable[[Any], Made], least: float = 0.0, most: float = LARGEST) -> Made:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ProfileError(f"{self.at(name)} = {printable(value)}: a number from {least:g} to {most:g}")
        if kind is int and kind(value) != value:
            raise ProfileError(f"{self.at(name)} = {printable(value)}: a whole number")
        return kind(value)

    def date(self, name: str) -> str:
        value = self.text(name)
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ProfileError(f"{self.at(name)} = {printable(value, 40)}: no date and time") from None
        return value

    def seconds(self, name: str) -> float:
        return self.number(name, float, most=MOST_SECONDS)

    def pair(self, least: float) -> dict[str, float]:
        """What is told of calls and of work."""
        return {name: self.number(name, float, least=least) for name in ("calls", "work")}

    def number_or_none(self, name: str) -> float | None:
        return None if self._get(name) is None else self.number(name, float, least=1e-12)

    def errors(self, name: str) -> list[float]:
        value = self._get(name)
        good = isinstance(value, list) and all(
            isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= MOST_ERROR for one in value
        )
        if not good:
            raise ProfileError(f"{self.at(name)}: not a list of numbers between -{MOST_ERROR:.2f} and {MOST_ERROR:.2f}")
        return sorted(map(float, value))
