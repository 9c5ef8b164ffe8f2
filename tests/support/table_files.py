"""Small tables as files, and loading or refusing them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuisim import data
from tuisim.config import RunConfig
from tuisim.errors import DataError

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(3, 5, (60, 3))
Y = np.arange(60) % 3
PICTURES = RANDOM.integers(0, 256, (60, 2, 2))


def load(path: Path, layers: tuple[int, ...] = (3, 3), **fields: Any) -> data.Dataset:
    return data.load(RunConfig(**{"layers": layers, "dataset": str(path), "dtype": "float64", **fields}))


def refused(path: Path, layers: tuple[int, ...] = (3, 3), **fields: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(path, layers, **fields)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.isprintable()
    return message


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def csv_text(rows: np.ndarray = X, targets: Any = Y, header: str = "", mark: str = ",") -> str:
    lines = [mark.join([*map(repr, row), str(target)]) for row, target in zip(rows.tolist(), list(targets), strict=True)]
    return "\n".join([header] * bool(header) + lines) + "\n"


def standardized(rows: np.ndarray) -> np.ndarray:
    return np.asarray((rows - rows.mean(axis=0)) / rows.std(axis=0))


def idx_bytes(array: np.ndarray, code: int = 8, dtype: str = ">u1") -> bytes:
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(dtype).tobytes()
