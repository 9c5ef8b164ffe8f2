"""The 1,797 handwritten digits that ship with the package; `digits.txt` beside it has their source and licence.

It does not know how they are split or scaled.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from tuisim.data.table import Table


def read() -> Table:
    """64 pixels of 0 to 16 and a class of 0 to 9 a row."""
    with files("tuisim.data").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Table("digits", arrays["X"], arrays["y"], classes=10, divide=16.0, notes=("pixels of 0 to 16, divided by 16",))
