"""Datasets: shipped, synthetic, from files or arrays; split, scaled, encoded and sampled in batches.

All but row counts and shapes is imported when first used, because counting needs no arrays.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tuisim.data.info import is_file
from tuisim.data.shape import fitted, fitted_without_file, is_known, of_file, rows

if TYPE_CHECKING:
    from tuisim.data.batch_sampler import BatchSampler, Block
    from tuisim.data.dataset import Dataset, available, from_arrays, load, misfit
    from tuisim.data.tables.reader import TablePreview, table_preview
    from tuisim.data.tables.roles import TableOptions

_MODULES = {
    **dict.fromkeys(("BatchSampler", "Block"), "batch_sampler"),
    **dict.fromkeys(("Dataset", "available", "from_arrays", "load", "misfit"), "dataset"),
    **dict.fromkeys(("TablePreview", "table_preview"), "tables.reader"),
    "TableOptions": "tables.roles",
}

__all__ = [
    "BatchSampler", "Block", "Dataset", "TableOptions", "TablePreview", "available", "fitted", "fitted_without_file",
    "from_arrays", "is_file", "is_known", "load", "misfit", "of_file", "rows", "table_preview",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"tuisim.data.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
