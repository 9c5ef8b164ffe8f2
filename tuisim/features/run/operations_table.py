"""The table of panel 1: operations per example by layer and phase, in as much detail as fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from tuisim import units
from tuisim.accounting import Ledger, Operations
from tuisim.accounting.operations import share
from tuisim.program import Phase
from tuisim.terminal.lines import BLANK, PHASE_TONES, Frame, Line, Span, Tone, width_of
from tuisim.terminal.plot import bar
from tuisim.terminal.table import Column, fits, table

PHASES = (Phase.FORWARD, Phase.BACKWARD, Phase.UPDATE)
"""The phases in the body of the table; the loss is below the total."""
FEW = 5
"""Layers up to which the table is by phase if it cannot be by layer and phase."""
MIN_BAR, MAX_BAR = 14, 60
"""Width in cells of the bars that show each row's share."""

_Kind = tuple[str, Callable[[Operations], int]]
_KINDS: tuple[_Kind, ...] = (
    ("multiply", attrgetter("multiply")),
    ("add", attrgetter("add")),
    ("act", attrgetter("activation")),
    ("act′", attrgetter("derivative")),
    ("other", attrgetter("other")),
)
_REST: _Kind = ("other", lambda n: n.total - n.multiply_adds)
_SUM: _Kind = ("total", attrgetter("total"))


@dataclass(frozen=True, slots=True)
class _Group:
    """One row: its layer and phase, and its operations in one step."""

    layer: str
    phase: str
    tone: Tone
    operations: Operations


def counted_table(ledger: Ledger, frame: Frame) -> list[Line]:
    """Return the most detailed table that fits: layer × phase, by layer, by layer with the middle as one row, by phase."""
    candidates = [_by_layer_and_phase(ledger)]
    if len(ledger.layers) > FEW:
        by_layer = _by_layer(ledger)
        candidates += [by_layer, *(_with_middle(by_layer, shown) for shown in range(frame.height - 3, 2, -1))]
    for groups in candidates:
        if len(groups) + 3 > frame.height and not frame.zoomed:
            continue
        columns, rows = _cells(ledger, groups, frame.width)
        if fits(columns, rows, frame.width):
            return _with_bars(ledger, groups, table(columns, rows, frame.width), frame)
    by_phase = [_Group("", phase.value, PHASE_TONES[phase.value], ledger.per_step[phase]) for phase in PHASES]
    columns, rows = _cells(ledger, by_phase, frame.width)
    lines = table(columns, rows, frame.width)
    # If only three lines fit, the phases say more than the headings.
    return lines[: frame.height] if frame.height > len(PHASES) else lines[1 : 1 + frame.height]


def _cells(ledger: Ledger, groups: Sequence[_Group], width: int) -> tuple[list[Column], list[list[Span]]]:
    """Return the columns that are not empty: exact if they fit, then in short form, then with the rarer kinds summed."""
    kinds = [kind for kind in _KINDS if kind[1](ledger.step_total)]
    merged = [*_KINDS[:2], _REST]
    tries = [([*kinds, _SUM], _exact(2)), (kinds, _exact(2)), (kinds, _exact(1)), (kinds, _short)]
    tries += [(merged, _exact(1)), (merged, _short), ([_SUM], _exact(1)), ([_SUM], _short)]
    for shown, written in tries:
        columns, rows = _written(ledger, groups, shown, written)
        if fits(columns, rows, width):
            break
    return columns, rows


def _written(
    ledger: Ledger, groups: Sequence[_Group], kinds: Sequence[_Kind], written: Callable[[Sequence[int | float]], list[str]]
) -> tuple[list[Column], list[list[Span]]]:
    foot = (
        _Group("total", "", Tone.STRONG, ledger.step_total_without_loss),
        _Group("loss", "", Tone.LOSS, ledger.per_step[Phase.LOSS]),
    )
    by_layer = any(group.layer for group in groups)
    texts = [written([share(of(group.operations), ledger.batch) for group in (*groups, *foot)]) for _, of in kinds]
    rows: list[list[Span]] = []
    for i, group in enumerate((*groups, *foot)):
        last = group in foot
        layer: Span = (group.layer, group.tone if last else Tone.TEXT)
        phase: Span = (group.phase, group.tone)
        number = Tone.STRONG if group.layer == "total" else Tone.TEXT
        numbers = [(text[i], Tone.DIM if text[i].strip() == "·" else number) for text in texts]
        rows.append([*([layer, phase] if by_layer else [layer if last else phase]), *numbers])
    heads = ["layer", "phase"] if by_layer else ["phase"]
    return [*(Column(head, right=False) for head in heads), *(Column(title) for title, _ in kinds)], rows


def _with_bars(ledger: Ledger, groups: Sequence[_Group], lines: list[Line], frame: Frame) -> list[Line]:
    """Put a bar of its share beside each row, if there is room."""
    wide = max(map(width_of, lines)) + 2
    room = min(frame.width - wide, MAX_BAR)
    if room < MIN_BAR:
        return lines
    loss = _Group("", "", Tone.LOSS, ledger.per_step[Phase.LOSS])
    drawn = [None, *groups, None, loss]  # the heading and the total have none
    largest = max((group.operations.total for group in drawn if group), default=0) or 1
    bars: list[Line] = [
        ((bar(group.operations.total / largest, room, frame.chart_style)[0], group.tone),) if group else BLANK for group in drawn
    ]
    return [(*line, (" " * (wide - width_of(line)), Tone.TEXT), *beside) for line, beside in zip(lines, bars, strict=True)]


def _by_layer_and_phase(ledger: Ledger) -> list[_Group]:
    found = [(layer, phase, n) for layer, phase, n in ledger.by_layer() if phase in PHASES]
    found.sort(key=lambda item: (item[0] is None, item[0] or 0, PHASES.index(item[1])))
    groups: list[_Group] = []
    before: int | None = 0
    for layer, phase, n in found:
        name = "" if layer == before else "all" if layer is None else str(layer)
        groups.append(_Group(name, phase.value, PHASE_TONES[phase.value], n))
        before = layer
    return groups


def _by_layer(ledger: Ledger) -> list[_Group]:
    """Return one row per layer, its phases summed."""
    layers: dict[int | None, Operations] = {}
    for layer, phase, n in ledger.by_layer():
        if phase in PHASES:
            layers[layer] = layers.get(layer, Operations()) + n
    order = sorted(layers, key=lambda layer: (layer is None, layer or 0))
    return [_Group("all" if layer is None else str(layer), "all", Tone.DIM, layers[layer]) for layer in order]


def _with_middle(rows: list[_Group], shown: int) -> list[_Group]:
    """Return at most `shown` rows: the first and the last ones, and the sum of those between as one."""
    if shown >= len(rows):
        return rows
    tail = (shown - 1) // 2
    head, middle, rest = rows[: shown - 1 - tail], rows[shown - 1 - tail : len(rows) - tail], rows[len(rows) - tail :]
    together = sum((group.operations for group in middle), Operations())
    return [*head, _Group(f"{middle[0].layer}–{middle[-1].layer}", "all", Tone.DIM, together), *rest]


def _exact(decimals: int) -> Callable[[Sequence[int | float]], list[str]]:
    """Return a writer of numbers that are aligned at the decimal point."""

    def write(values: Sequence[int | float]) -> list[str]:
        pad = " " * (decimals + 1) if any(isinstance(value, float) for value in values) else ""
        texts = [
            f"{value:,.{decimals}f}" if isinstance(value, float) else (f"{value:,}" if value else "·") + pad for value in values
        ]
        return [f"<{10**-decimals:.{decimals}f}" if text == f"{0:.{decimals}f}" else text for text in texts]

    return write


def _short(values: Sequence[int | float]) -> list[str]:
    return [units.si(value) if value else "·" for value in values]
