"""Wasted work as lines: products with a factor of zero, updates without effect, examples already learnt, subnormals."""

from __future__ import annotations

from tuisim import units
from tuisim.features.inspect.state import Inspected
from tuisim.features.inspect.waste.waste import LEARNT, Waste
from tuisim.program import Kind
from tuisim.terminal.lines import BLANK, Frame, Line, Span, Tone, wrap
from tuisim.terminal.plot import bar
from tuisim.terminal.table import Column, table
from tuisim.terminal.text import number

NAMES = {Kind.DENSE: "z = a·W + b", Kind.WEIGHT_GRADIENT: "∂L/∂W = aᵀ·∂L/∂z", Kind.INPUT_GRADIENT: "∂L/∂a = ∂L/∂z·Wᵀ"}
BAR = 16
MUCH = 0.3
"""A share from which the page says what would help."""


def products_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return a row for each matrix product, with the multiplications that have a factor of zero."""
    found: Waste | None = state.found
    if found is None:
        return wrap(state.words, frame.width, Tone.DIM)
    columns = [
        Column("layer"), Column("phase", right=False), Column("product", right=False), Column("multiply"), Column("with a 0"),
        Column("share"), Column("", right=False),
    ]  # fmt: skip
    cells: list[list[Span]] = []
    for one in found.products:
        share = one.zero / one.all
        full, rest = bar(share, BAR, frame.chart_style)
        cells.append(
            [
                (str(one.layer), Tone.TEXT),
                (one.phase.value, Tone(one.phase.value)),
                (NAMES[one.kind], Tone.DIM),
                (number(one.all, 9), Tone.TEXT),
                (number(one.zero, 9), Tone.TEXT),
                (units.percent(share), Tone.STRONG),
                (full + rest, Tone.AREA),
            ]
        )
    zero, total = sum(one.zero for one in found.products), sum(one.all for one in found.products)
    words = f"{units.percent(zero / total)} of the {total:,} multiplications of this step's matrix products have a factor of zero"
    lines = [*table(columns, cells, frame.width), BLANK, *wrap(words, frame.width, Tone.STRONG)]
    return [*lines, *wrap(_help(found), frame.width, Tone.DIM)]


def _help(found: Waste) -> str:
    """Return what would help, if much is wasted."""
    first = [one for one in found.products if one.layer == 1 and one.kind is Kind.DENSE]
    later = [one for one in found.products if one.layer > 1 and one.kind is Kind.DENSE]
    if first and first[0].zero > MUCH * first[0].all:
        return "many inputs are zero: columns that are always zero can be left out (--drop), and sparse libraries skip them"
    if later and max(one.zero / one.all for one in later) > MUCH:
        return "many ReLU units are zero for these examples, which is usual; dead ones, zero for all, are on the Run page"
    return "dense kernels compute these products as well: they cost the same time as any other"


def updates_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return a row for each layer's update, and the examples and numbers that are wasted."""
    found: Waste | None = state.found
    if found is None:
        return []
    columns = [Column("layer"), Column("parameters"), Column("gradient 0"), Column("too small"), Column("unchanged")]
    cells: list[list[Span]] = [
        [
            (str(one.layer), Tone.TEXT),
            (number(one.parameters, 9), Tone.TEXT),
            (number(one.without_gradient, 9), Tone.TEXT),
            (number(one.too_small, 9), Tone.WARNING if one.too_small > MUCH * one.parameters else Tone.TEXT),
            (units.percent((one.without_gradient + one.too_small) / one.parameters), Tone.STRONG),
        ]
        for one in found.updates
    ]
    learnt = f"{found.learnt:,} of {units.counted(found.batch, 'example')} already learnt (loss below {LEARNT:g})"
    lines = [*table(columns, cells, frame.width), BLANK, *wrap(learnt, frame.width, Tone.TEXT)]
    for one in found.subnormals:
        words = f"subnormal numbers in {one.what}: {one.count:,} of {one.all:,}"
        lines += wrap(words, frame.width, Tone.WARNING if one.count else Tone.DIM)
    if found.flushed is not None:
        lines += wrap(f"optimizer numbers flushed to 0 so far: {found.flushed:,}", frame.width, Tone.DIM)
    if any(one.too_small > MUCH * one.parameters for one in found.updates):
        lines += wrap("many updates are lost in rounding: a larger learning rate, or float64, keeps them", frame.width, Tone.DIM)
    return lines
