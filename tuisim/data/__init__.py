"""Where examples come from: shipped, synthetic, files or arrays; split, scaled, made to fit, and fed for ever.

It knows a run's configuration and nothing of how a step is computed. All but `rows` is imported when first used: counting
needs no arrays.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tuisim.data.info import rows

if TYPE_CHECKING:
    from tuisim.data.batch_sampler import Block, Feed
    from tuisim.data.catalogue import available, load, misfit
    from tuisim.data.dataset import Dataset, from_arrays

_HOMES = {
    "available": "catalogue",
    "load": "catalogue",
    "misfit": "catalogue",
    "Dataset": "dataset",
    "from_arrays": "dataset",
    "Block": "batch_sampler",
    "Feed": "batch_sampler",
}
__all__ = ["Block", "Dataset", "Feed", "available", "from_arrays", "load", "misfit", "rows"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"tuisim.data.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
