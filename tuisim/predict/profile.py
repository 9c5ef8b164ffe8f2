"""The machine profile: the prices of a step's operations on one machine, by backend, thread count and dtype."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

from tuisim.backends import computes_with, names
from tuisim.config import RunConfig
from tuisim.config.choices import DTYPES, MAX_THREADS
from tuisim.errors import DataError, printable
from tuisim.predict.machine import Machine
from tuisim.predict.prices import MAX_ERROR, Prices, terms
from tuisim.predict.run_costs import RunCosts
from tuisim.predict.work import PRODUCTS, Work
from tuisim.program import Kind
from tuisim.provenance import Provenance
from tuisim.store.document import Reader

MAX_SECONDS = 1e6
"""Maximum seconds of any single cost: eleven days."""
KIND, VERSION = "machine card", 5


class ProfileError(DataError):
    """A profile with an impossible value; the message names the place and the value."""


@dataclass(frozen=True)
class ProfileKey:
    """A backend, its thread count and dtype: an entry of a profile has one."""

    backend: str
    threads: int
    dtype: str

    @staticmethod
    def of(config: RunConfig) -> ProfileKey:
        """Return the key that predicts a resolved `config`: a backend may ignore threads or dtype."""
        assert config.threads is not None
        return ProfileKey(config.backend, *computes_with(config.backend, config.threads, config.dtype))

    @property
    def label(self) -> str:
        """Backend and threads: `numpy@1`."""
        return f"{self.backend}@{self.threads}"

    @property
    def key(self) -> str:
        """The key in words: `numpy@1 float32`."""
        return f"{self.label} {self.dtype}"


@dataclass(frozen=True)
class ProfileEntry(ProfileKey):
    """The prices of one backend at a thread count and dtype."""

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, with the four figures that were measured."""
        plain: dict[str, Any] = _rounded(asdict(self))
        del plain["prices"]["backend"]
        return plain


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


@dataclass(frozen=True)
class MachineProfile:
    """The entries of one machine."""

    machine: Machine
    entries: tuple[ProfileEntry, ...]

    def entry(self, key: ProfileKey) -> ProfileEntry | None:
        """Return the entry with this key, or None."""
        return next((one for one in self.entries if one.key == key.key), None)

    def with_entry(self, entry: ProfileEntry) -> MachineProfile:
        """Return this profile with `entry` in place of the one of its key."""
        return replace(self, entries=(*(one for one in self.entries if one.key != entry.key), entry))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, by the keys of the entries."""
        return {"machine": asdict(self.machine), "entries": {entry.key: entry.to_dict() for entry in self.entries}}

    def document(self) -> dict[str, Any]:
        """Return the document that `tuisim calibrate --json` prints."""
        return {
            "machine": asdict(self.machine),
            "entries": [{"key": entry.key, **entry.to_dict()} for entry in self.entries],
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
        try:
            reader = Reader(body, "")
            machine, entries = reader.inside("machine"), reader.inside("entries")
            texts = {field.name: printable(machine.text(field.name), 500) for field in fields(Machine) if field.name != "cores"}
            return MachineProfile(
                machine=Machine(cores=machine.number("cores", int), **texts),
                entries=tuple(_entry(entries.inside(key)) for key in entries.values),
            )
        except ValueError as error:
            raise ProfileError(str(error)) from None


def _entry(reader: Reader) -> ProfileEntry:
    run, made = reader.inside("run"), reader.text("made")
    try:
        datetime.fromisoformat(made)
    except ValueError:
        raise ValueError(f"{reader.at('made')} = {printable(made, 40)}: not a date and time") from None
    return ProfileEntry(
        backend=reader.text("backend", names()),
        threads=reader.number("threads", int, low=1, high=MAX_THREADS),
        dtype=reader.text("dtype", DTYPES),
        device=printable(reader.text("device"), 500),
        made=made,
        networks=reader.number("networks", int),
        peak_flops=reader.number("peak_flops", float, low=1.0),
        peak_bytes=reader.number("peak_bytes", float, low=1.0),
        best_rate=reader.number("best_rate", float, low=1.0),
        evaluation=reader.number("evaluation", float),
        run=RunCosts(**{field.name: run.number(field.name, float, high=MAX_SECONDS) for field in fields(RunCosts)}),
        prices=_prices(reader.inside("prices"), reader.text("backend")),
        copy_rate=None if reader.get("copy_rate") is None else reader.number("copy_rate", float, low=1e-12),
    )


def _prices(reader: Reader, backend: str) -> Prices:
    kinds = reader.inside("kinds")
    known = {name: name.split(" ", maxsplit=1)[0] for name in kinds.values}
    for kind in sorted(kind.value for kind in PRODUCTS):
        if kind not in known.values():
            raise ValueError(f"{kinds.at(kind)}: missing")
    return Prices(
        kinds={name: _price(kinds.inside(name), kind) for name, kind in known.items()},
        backend=backend,
        largest=reader.number("largest", int),
        errors=tuple(sorted(reader.numbers("errors", float, -MAX_ERROR, MAX_ERROR))),
    )


def _price(reader: Reader, kind: str) -> dict[str, float]:
    try:
        known = terms(Work(Kind(kind), None, 1, 1, 1, 0, 0.0))
    except ValueError:
        raise ValueError(f"{reader.at('')}: not a kind of operation") from None
    if unknown := [term for term in reader.values if term not in known]:
        raise ValueError(f"{reader.at(unknown[0])}: not a term of this cost")
    price = {term: reader.number(term, float, high=MAX_SECONDS) for term in reader.values}
    if not any(price.values()):
        raise ValueError(f"{reader.at('')}: no cost above 0")
    return price
