"""Named datasets that are read: the digits that ship with the package and Fashion-MNIST from the system's package."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import numpy as np

from tuisim.data import files, idx
from tuisim.data.table import Table
from tuisim.errors import DataError

FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""The folder of Debian's package dataset-fashion-mnist."""
VARIABLE = "TUISIM_DATA"
"""The variable that names another folder, searched first: of the files themselves, or with a folder fashion-mnist of them."""
_IMAGES = "train-images-idx3-ubyte"


def read_digits() -> Table:
    """Return the 1,797 handwritten digits: 64 pixels of 0 to 16 and a class of 0 to 9; source and licence are in `digits.txt`."""
    with resources.files("tuisim.data").joinpath("digits.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Table("digits", arrays["X"], arrays["y"], classes=10, divide=16.0, notes=("pixels of 0 to 16, divided by 16",))


def read_fashion_mnist() -> Table:
    """Return the 60,000 training images of Fashion-MNIST, 28×28 bytes, ten classes. Raises DataError."""
    images = _fashion_images()
    if images is None:
        raise DataError(f"fashion_mnist: {fashion_missing()}")
    return files.read_images(images, name="fashion_mnist", classes=10)


def fashion_missing() -> str | None:
    """Return why Fashion-MNIST is not available and the remedy; None if it is."""
    if _fashion_images():
        return None
    return f"not on this machine; apt-get install dataset-fashion-mnist puts it in {FOLDER}, or set {VARIABLE} to its folder"


def _fashion_images() -> Path | None:
    named = os.environ.get(VARIABLE)
    folders = [Path(named, "fashion-mnist"), Path(named), FOLDER] if named else [FOLDER]
    candidates = (folder / (_IMAGES + suffix) for folder in folders for suffix in (".gz", ""))
    return next((path for path in candidates if path.is_file() and idx.find_labels(path)), None)
