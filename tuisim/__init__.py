"""tuisim: what does it cost to train a neural network, and where does the time go?

The names below are the public ones; each is imported when first used, so that `tuisim count` pays for nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuisim.accounting import Ledger, count
    from tuisim.config import RunConfig
    from tuisim.engine import Summary, Trainer
    from tuisim.errors import TuisimError

__version__ = "0.2.0"

_HOMES = {
    "RunConfig": "tuisim.config",
    "count": "tuisim.accounting",
    "Ledger": "tuisim.accounting",
    "Trainer": "tuisim.engine",
    "Summary": "tuisim.engine",
    "TuisimError": "tuisim.errors",
}
__all__ = ["Ledger", "RunConfig", "Summary", "Trainer", "TuisimError", "__version__", "count"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
