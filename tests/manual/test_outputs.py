"""The outputs in the README and the manual have the shape of what the commands print now."""

from __future__ import annotations

import pytest

from tests.support.outputs import FILES, ROOT, made, missing_share, outputs, shape, strange_lines

STORED = [output.text for output in outputs()]
QUICK = [output for output in outputs() if not output.slow]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a quick machine profile of every CPU backend."""
    folder = tmp_path_factory.mktemp("home")
    made("tuisim calibrate --quick --backends numpy,scalar,numba", folder)
    return folder


@pytest.mark.parametrize("output", QUICK, ids=str)
def test_an_output_has_the_shape_of_what_the_command_prints(output, home):
    printed = made(output.command, home)
    assert strange_lines(output.text, printed, STORED) == [], "run: python -m tests.manual"
    assert missing_share(output.text, printed) <= 0.5, "run: python -m tests.manual"


def test_every_console_block_is_made_by_the_script():
    marked = list(outputs())
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert text.count("```console") == sum(output.file == file for output in marked), file.name


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 8192


def test_every_block_begins_with_its_command():
    assert not [str(output) for output in outputs() if not output.text.startswith(f"$ {output.command}\n")]


def test_a_shape_masks_numbers_units_and_machines():
    assert shape("26.1 µs per step, measured 72.8 µs: 2.79 × as long") == ["# per step, measured #: # as long"]
    assert shape("by OpenBLAS 0.3.31 SkylakeX on Intel(R) Xeon(R) Processor @ 2.50GHz, 1 h 09 min") == [
        "by LIBRARY on PROCESSOR, #"
    ]


def test_a_line_is_strange_if_no_output_has_one_of_its_words():
    stored = "layer  phase\n    1  forward  582 µs\n    2  update  66.0 µs\n"
    assert strange_lines(stored, "layer  phase\n    2  update  1.0 s\n    2  forward  3 µs\n    1  loss  2 µs\n", ["loss"]) == []
    assert strange_lines(stored, stored.replace("update", "step")) == ["# step #"]
    assert missing_share(stored, stored.replace("update", "step")) == pytest.approx(1 / 3)
