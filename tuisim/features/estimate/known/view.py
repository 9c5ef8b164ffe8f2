"""The page Known networks as lines: a lower bound of each network's training time, and how it is computed."""

from __future__ import annotations

from tuisim import units
from tuisim.features.estimate.known.networks import MULTIPLY_ADD, TRAINING, TRAINING_SOURCE
from tuisim.features.estimate.known.projection import KnownProjection, KnownState
from tuisim.features.estimate.times import TimeRow, figure, time_lines, time_places
from tuisim.predict.prediction import Interval
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Tone, clip, fold, spread, wrap
from tuisim.terminal.text import page_header

TIMES_TAG: Provenances = (("", Provenance.PROJECTED), ("years and parameters", Provenance.PUBLISHED))
HOW_TAG: Provenances = (("", Provenance.PUBLISHED), ("rate", Provenance.MEASURED), ("times", Provenance.PROJECTED))
TITLES = ("network", "at least", "parameters", "year", "operations", "forward MACs", "examples seen", "one example")
MAX_DIGITS = 11
ROOMY = 70
"""Cells from which on every factor has its words."""


def page(state: KnownState, frame: Frame) -> list[Line]:
    """Return the header, the times of all networks, and their assumptions."""
    rule = f"training is {TRAINING} forward passes, a MAC {MULTIPLY_ADD} operations; sources: --json"
    return [*header(state, frame), BLANK, *times(state, frame), BLANK,
            *wrap(f"{state.assumption}; {rule}", frame.width, Tone.DIM)]  # fmt: skip


def header(state: KnownState, frame: Frame) -> list[Line]:
    """Return the volume at which the networks are projected."""
    examples = "own examples" if state.examples is None else units.counted(state.examples, "example", 9)
    epochs = "own epochs" if state.epochs is None else units.counted(state.epochs, "epoch", 9)
    words = "as each was trained" if state.examples is None and state.epochs is None else f"{examples} × {epochs}"
    return [page_header("time estimate", ["known networks"], ["on this machine"],
                        ((words, Tone.STRONG),), frame.width)]  # fmt: skip


def times(state: KnownState, frame: Frame) -> list[Line]:
    """Return one row for each network on one axis of time."""
    if not state.rows:
        return wrap(state.failure, frame.width, Tone.BAD)
    return time_lines(TITLES, [_time_row(one, state) for one in state.rows], state.selected, frame)


def time_row_places(state: KnownState, frame: Frame) -> list[int | None]:
    """Return the network on each line."""
    return time_places(len(state.rows), state.selected, frame) if state.rows else []


def _time_row(one: KnownProjection, state: KnownState) -> TimeRow:
    known, seconds = one.network, one.seconds
    reason = "" if seconds is not None else "not known"
    if one.seen is None:
        reason = "epochs not published" if state.epochs is None and known.epochs is None else "examples not published"
        if state.examples is None and state.epochs is None:
            reason = "training length not published"
    details = (units.si(known.parameters), str(known.year), units.si(one.operations), units.si(known.forward), units.si(one.seen),
               known.example)  # fmt: skip
    interval = None if seconds is None else Interval(seconds, seconds, seconds)
    return TimeRow(known.name, units.duration(seconds), details, interval, reason, is_bound=True)


def how(state: KnownState, frame: Frame) -> list[Line]:
    """Return how the selected network's time is computed, and the sources."""
    if not state.rows:
        return []
    one, width = state.rows[state.selected], frame.width
    known, roomy = one.network, frame.width >= ROOMY
    head = f"{known.name}  {known.year}  "
    words = f"{units.si(known.parameters)} parameters; an example is {known.example}"
    if len(head) + len(words) > width:
        words = f"an example is {known.example}"
    operations = [
        figure(units.si(known.forward), "multiply-adds" + " forward" * roomy),
        figure(f"× {MULTIPLY_ADD}", "operations each" * roomy),
        figure(f"× {TRAINING}", "passes in training" * roomy),
        figure(f"= {units.si(known.operations)}", "per example"),
    ]
    if one.seen is not None and one.operations is not None:
        operations += [figure(f"× {_seen(state, one)}"), figure(f"= {units.si(one.operations)}", "operations", Tone.ACCENT)]
    sources = {"parameters": known.parameters_source, "forward": known.forward_source, "training": known.training_source,
               f"{TRAINING} passes": TRAINING_SOURCE}  # fmt: skip
    blocks = [
        Block(0, [((head, Tone.STRONG), (clip(words, max(1, width - len(head))), Tone.DIM))]),
        Block(6, [BLANK]),
        Block(1, spread(operations, width, gap=1)),
        Block(2, wrap(state.assumption, width, Tone.TEXT)),
        Block(7, [BLANK]),
        *(Block(3 + (i > 1), wrap(f"{of}: {source}", width, Tone.DIM)) for i, (of, source) in enumerate(sources.items())),
    ]
    return [line for block in blocks for line in block.lines] if frame.zoomed else fold(blocks, frame.height)


def _seen(state: KnownState, one: KnownProjection) -> str:
    """Write examples and epochs, or their product if only that is published."""
    examples = one.network.examples if state.examples is None else state.examples
    epochs = one.network.epochs if state.epochs is None else state.epochs
    if examples is None or epochs is None or examples * epochs != one.seen:
        return f"{units.short_count(one.seen, MAX_DIGITS)} examples"
    return f"{units.short_count(examples, MAX_DIGITS)} examples × {units.counted(epochs, 'epoch', MAX_DIGITS)}"
