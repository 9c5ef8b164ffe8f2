"""The accuracy of every function of a step on every backend and dtype, over the whole range of the format."""

import math
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mpmath")
pytest.importorskip("pycparser")  # the emulator of CuPy's kernels needs it

from tests.accuracy.bounds import BOUNDS, REASONS
from tests.accuracy.formats import FORMATS
from tests.accuracy.rows import ROWS
from tests.accuracy.running import CELLS, Running, bound
from tests.accuracy.table import errors
from tuisim.config.choices import ACTIVATIONS, LOSSES, OPTIMIZERS
from tuisim.program import Kind

PAGE = Path(__file__).parents[2] / "tuisim" / "manual" / "backends.md"


@pytest.fixture(scope="module", name="binds")
def _binds():
    with bound() as found:
        yield found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_function_is_accurate_to_its_bound(row, binds):
    found = zip(CELLS, errors(row, binds), BOUNDS[row.name], strict=True)
    wrong = [f"{' '.join(cell)}: {error}, bound {most}" for cell, error, most in found if error is not None and error.ulps > most]
    assert not wrong


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("backend", "dtype"), CELLS)
def test_many_small_terms_added_to_a_large_one_are_not_lost(backend, dtype, loss, binds):
    """A float32 sum would lose them: each is below half an ulp of the large one."""
    if backend not in binds:
        pytest.skip(f"{backend} is not installed")
    rows = 4_000
    logits = np.full((rows, 2), [18.0, -18.0 if loss == "binary_cross_entropy" else 0.0])
    logits[0] = [-1.0, 0.0]
    outputs = (np.exp(-logits / 2) if loss == "mse" else logits).astype(dtype).astype(float)
    if loss == "mse":
        targets, terms = 0.0, outputs**2
    elif loss == "cross_entropy":
        targets, terms = 0, np.log1p(np.exp(outputs[:, 1] - outputs[:, 0]))
    else:
        targets, terms = outputs > 0, np.log1p(np.exp(-np.abs(outputs)))
    step = Running(backend, binds[backend], dtype, rows, 2, loss=loss)
    step.write("z1", outputs)
    step.write("Y", targets)
    assert step.do(Kind(loss)) == pytest.approx(math.fsum(terms.ravel()) / terms.size, rel=3e-7 if dtype == "float32" else 1e-14)


def test_every_function_has_a_row_and_every_wide_bound_a_reason():
    names = {row.name for row in ROWS}
    activations = set(ACTIVATIONS) - {"identity"}
    assert names >= activations | {f"{name}′" for name in activations} | set(OPTIMIZERS)
    assert names >= set(LOSSES) | {f"{name} gradient" for name in LOSSES}
    assert names == set(BOUNDS)
    assert {name for name, bounds in BOUNDS.items() if max(bounds) > 4} == set(REASONS)
    assert {dtype for _, dtype in CELLS} == set(FORMATS)


def test_the_manual_has_the_table():
    text = PAGE.read_text(encoding="utf-8")
    assert not [row.name for row in ROWS if f"| {row.name.replace('|', chr(92) + '|')}" not in text]
