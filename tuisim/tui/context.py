"""The context of a page: what the app gives to every page when it opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tuisim.config import RunConfig
from tuisim.engine import Worker
from tuisim.engine.lease import MachineLease
from tuisim.predict.background import BackgroundPredictor


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """The configuration in front, the run in progress and the machine."""

    config: RunConfig
    """As the data decide it."""
    described: RunConfig | None = None
    """The same run before the data decided anything of it; None if only `config` is known."""
    lease: MachineLease = field(default_factory=MachineLease)
    predictor: BackgroundPredictor | None = None
    """None if nothing is predicted."""
    run: Worker | None = None
    """The run in progress, or the last one."""
    run_config: RunConfig | None = None
    """The configuration of `run`."""
    pause_run: Callable[[], None] = _nothing
    """Pause the run until the page is left."""
    use: Callable[[RunConfig], None] = _nothing
    """Fill the form with a configuration."""
