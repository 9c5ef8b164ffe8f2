"""The datasets by name: whether one can be used here, and loading it.

It does not know what a dataset's rows go through once read.
"""

from __future__ import annotations

import os
from pathlib import Path

from tuisim.config import RunConfig
from tuisim.data import dataset, digits, files, synthetic
from tuisim.data import fashion_mnist as fashion
from tuisim.data import info as facts
from tuisim.data import target_encoding as fit
from tuisim.data.dataset import Dataset
from tuisim.errors import DataError


def load(config: RunConfig) -> Dataset:
    """The run's dataset, made to fit it.

    Raises DataError where it is missing, broken or does not fit, MemoryNeeded where memory does not hold it.
    """
    name = config.resolved_dataset
    if name in facts.SYNTHETIC:
        return dataset.synthetic(config, name)
    if name == "digits":
        return dataset.from_table(config, digits.read())
    if name == "fashion_mnist":
        return dataset.from_table(config, fashion.read())
    return dataset.from_table(config, files.read(config, Path(os.path.expanduser(name))))


def misfit(config: RunConfig) -> str | None:
    """Why a named dataset fits neither layers nor loss, with what would; None where it does, or only its file can tell."""
    name = config.resolved_dataset
    try:
        if name in facts.SYNTHETIC:
            synthetic.check(config, name)
        elif name in facts.SHAPES:
            inputs, classes = facts.SHAPES[name]
            fit.check_inputs(config, name, inputs)
            fit.check_classes(config, name, classes)
    except DataError as error:
        return str(error)
    return None


def available(name: str) -> str | None:
    """None where the dataset can be used here, else the reason and the remedy."""
    if name == "fashion_mnist":
        return fashion.missing()
    if name in (*facts.SYNTHETIC, "auto", "digits") or os.path.isfile(os.path.expanduser(name)):
        return None
    return "no such file; give the path of a CSV, NPY, NPZ or IDX file"
