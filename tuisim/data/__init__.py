"""Datasets: shipped, synthetic, from files or arrays; split, scaled, encoded and sampled in batches.

All but `rows` and `fitted` is imported when first used, because counting needs no arrays.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tuisim.data.info import rows
from tuisim.data.shape import fitted, fitted_without_file

if TYPE_CHECKING:
    from tuisim.data.batch_sampler import BatchSampler, Block
    from tuisim.data.dataset import Dataset, available, from_arrays, load, misfit

__all__ = [
    "BatchSampler",
    "Block",
    "Dataset",
    "available",
    "fitted",
    "fitted_without_file",
    "from_arrays",
    "load",
    "misfit",
    "rows",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        module = "batch_sampler" if name in ("BatchSampler", "Block") else "dataset"
        return getattr(import_module(f"tuisim.data.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
