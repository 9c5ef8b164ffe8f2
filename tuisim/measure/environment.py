"""What a study was measured on, for its document: processor, Python, NumPy and the BLAS beneath it.

It does not know what was measured.
"""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from tuisim.backends.numpy.blas import blas
from tuisim.measure import processor


def environment() -> dict[str, Any]:
    """Names and versions as words; none of it is a number to compare."""
    return {
        "processor": processor.name(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": str(blas()),
        "pinned_by": blas().pinned_by,
    }
