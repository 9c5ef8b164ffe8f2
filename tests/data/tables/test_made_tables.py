"""Tables made to the shape of well-known public ones are read rightly, and a run starts on each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.made_tables import MADE
from tests.support.table_files import write
from tuisim import Trainer, data
from tuisim.config import RunConfig
from tuisim.data.tables.roles import TableOptions


@pytest.mark.parametrize("name", MADE)
def test_a_made_table_is_read_rightly(tmp_path: Path, name: str) -> None:
    made = MADE[name](np.random.default_rng(11))
    path = write(tmp_path / f"{name}.csv", made.text)
    found = data.table_preview(path, TableOptions(**made.options))
    left_out = tuple(column.label for column in found.columns if column.role == "left out")
    assert (found.rows, found.rows_dropped, left_out) == (made.rows, made.dropped, made.left_out)
    assert (found.inputs, found.outputs, found.kind) == (made.inputs, made.outputs, made.kind)


@pytest.mark.parametrize("name", MADE)
def test_a_run_starts_on_a_made_table(tmp_path: Path, name: str) -> None:
    made = MADE[name](np.random.default_rng(11))
    path = write(tmp_path / f"{name}.csv", made.text)
    config = RunConfig(
        layers=(made.inputs, 8, made.outputs), dataset=str(path), epochs=1, threads=1, learning_rate=0.001,
        loss="cross_entropy" if made.kind == "classes" else "mse", **made.options,
    )  # fmt: skip
    summary = Trainer(config).run()
    assert summary.ended == "completed"
    assert summary.config.layers == (made.inputs, 8, made.outputs)
