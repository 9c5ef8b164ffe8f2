"""Every function that a step computes is right to its bound, on every backend and dtype, over the whole range of the format."""

from pathlib import Path

import pytest

pytest.importorskip("mpmath")
pytest.importorskip("pycparser")  # the stand-in that runs CuPy's kernels needs it

from accuracy.bounds import BOUNDS, REASONS
from accuracy.formats import FORMATS
from accuracy.rows import ROWS
from accuracy.running import CELLS, bound
from accuracy.table import errors

from tuisim.vocabulary import ACTIVATIONS, LOSSES, OPTIMIZERS

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module", name="binds")
def _binds():
    with bound() as found:
        yield found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_function_is_right_to_its_bound(row, binds):
    found = zip(CELLS, errors(row, binds), BOUNDS[row.name], strict=True)
    wrong = [f"{' '.join(cell)}: {error}, bound {most}" for cell, error, most in found if error is not None and error.ulps > most]
    assert not wrong


def test_every_function_has_a_row_and_every_wide_bound_a_reason():
    names = {row.name for row in ROWS}
    activations = set(ACTIVATIONS) - {"identity"}
    assert names >= activations | {f"{name}′" for name in activations} | set(OPTIMIZERS)
    assert names >= set(LOSSES) | {f"{name} gradient" for name in LOSSES}
    assert names == set(BOUNDS)
    assert {name for name, bounds in BOUNDS.items() if max(bounds) > 4} == set(REASONS)
    assert {dtype for _, dtype in CELLS} == set(FORMATS)


def test_the_readme_has_the_table():
    text = README.read_text(encoding="utf-8")
    assert not [row.name for row in ROWS if f"| {row.name.replace('|', chr(92) + '|')}" not in text]
