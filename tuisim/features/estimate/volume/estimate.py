"""Time estimates of one network for any volume of data. Only numbers: nothing is allocated, whatever the size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuisim import data
from tuisim.accounting import count
from tuisim.accounting.operations import share
from tuisim.config import RunConfig
from tuisim.errors import ConfigError, Mistake
from tuisim.predict.predictor import Priced

VOLUMES = {"digits": 1_797, "Fashion-MNIST": 60_000, "ImageNet": 1_281_167, "a billion": 10**9, "a trillion": 10**12}
"""Named numbers of examples, from what this program ships to what only language models are trained on."""
EPOCHS = (1, 10, 90, 1_000)
"""Numbers of epochs to choose from; 90 is usual for ImageNet."""
ASSUMED_EPOCHS = 10
"""The epochs of a run until stopped, for estimates that need an end."""
Price = Callable[[RunConfig], Sequence[Priced]]
"""Return the price of a configuration on every backend that was measured; its batch is no larger than its volume."""


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """A network at one volume and number of epochs, on each backend that has a price."""

    config: RunConfig
    volume: str
    """The volume's name; empty if it has none."""
    examples: int
    epochs: int
    operations: int
    """The total operations, with the loss."""
    rows: tuple[Priced, ...]
    """The price of the run on each backend."""

    @property
    def batch(self) -> int:
        """The size of a full batch; a batch larger than the volume is one short batch."""
        return min(self.config.batch_size, self.examples)

    @property
    def steps_per_epoch(self) -> int:
        """The full steps and the short last one."""
        return -(-self.examples // self.batch)

    @property
    def operations_per_example(self) -> int | float:
        """The operations of one example; a fraction if steps share their update unevenly."""
        return share(self.operations, self.examples * self.epochs)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "volume": self.volume, "examples": self.examples, "epochs": self.epochs, "batch": self.batch,
            "steps_per_epoch": self.steps_per_epoch,
            "operations": {"per_example": self.operations_per_example, "total": self.operations},
            "rows": [
                {
                    "backend": one.label, "machine": one.machine, "foreign": one.foreign,
                    "step_seconds": one.step and one.step.to_dict(), "seconds": one.seconds and one.seconds.to_dict(),
                    "wall_seconds": one.wall_seconds and one.wall_seconds.to_dict(), "reason": one.reason,
                }
                for one in self.rows
            ],
        }  # fmt: skip


def estimate(config: RunConfig, price: Price, examples: int | None = None, epochs: int | None = None) -> TimeEstimate:
    """Estimate the training time of `config`; volume and epochs are by default the configuration's own.

    The time to read a data file is not included. Raises ConfigError if volume or epochs are neither given nor known.
    """
    volume = data.rows(config) if examples is None else examples
    times = config.known_epochs if epochs is None else epochs
    mistakes = [Mistake("examples", None, "give the number: it is not known before the file is read")] if volume is None else []
    mistakes += [Mistake("epochs", "none", "give the number: a run without an end has no duration")] if times is None else []
    if volume is None or times is None:
        raise ConfigError(mistakes)
    # A schedule takes its operations at any volume; the length of the configuration's own schedule does not matter.
    config = config.of_known_length()
    sized = replace(config, examples=volume, epochs=times)
    operations = sum(phase.total for phase in (count(sized).run or {}).values())
    rows = tuple(price(replace(sized, batch_size=min(config.batch_size, volume))))
    name = next((name for name, rows_ in VOLUMES.items() if rows_ == volume), "")
    return TimeEstimate(sized, name, volume, times, operations, rows)


def estimate_volumes(config: RunConfig, price: Price, epochs: int | None = None) -> tuple[TimeEstimate, ...]:
    """Estimate the time for the data's own volume and for every named one."""
    own = data.rows(config)
    volumes = sorted({*VOLUMES.values(), *([own] if own is not None else [])})
    return tuple(estimate(config, price, volume, epochs) for volume in volumes)
