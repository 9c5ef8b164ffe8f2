"""Fashion-MNIST where a package of the system put it: 60,000 training pictures of clothes, 28×28, ten classes.

It downloads nothing and does not know how the rows are split.
"""

from __future__ import annotations

import os
from pathlib import Path

from tuisim.data import files, idx
from tuisim.data.table import Table
from tuisim.errors import DataError

FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's dataset-fashion-mnist puts it."""
VARIABLE = "TUISIM_DATA"
"""A folder of one's own, looked into first: the files themselves, or a folder fashion-mnist of them."""
_IMAGES = "train-images-idx3-ubyte"


def _images() -> Path | None:
    own = os.environ.get(VARIABLE)
    folders = [Path(own, "fashion-mnist"), Path(own), FOLDER] if own else [FOLDER]
    candidates = (folder / (_IMAGES + suffix) for folder in folders for suffix in (".gz", ""))
    return next((path for path in candidates if path.is_file() and idx.labels_beside(path)), None)


def missing() -> str | None:
    """None where it is here, else the reason and the remedy."""
    if _images():
        return None
    return f"not on this machine; apt-get install dataset-fashion-mnist puts it in {FOLDER}, or set {VARIABLE} to its folder"


def read() -> Table:
    """The training file's pictures and classes. Raises DataError."""
    images = _images()
    if images is None:
        raise DataError(f"fashion_mnist: {missing()}")
    return files.images_table(images, name="fashion_mnist", classes=10)
