"""The environment of a measurement, for its JSON document: processor, Python, NumPy and BLAS."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from tuisim.backends.numpy.blas import blas
from tuisim.measure import processor


def environment() -> dict[str, Any]:
    """Return names and versions."""
    return {
        "processor": processor.name(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": str(blas()),
        "pinned_by": blas().pinned_by,
    }
