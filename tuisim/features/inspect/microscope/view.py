"""The chain as lines: each value with its largest terms, its difference from the backend's number, and its operations."""

from __future__ import annotations

import math

from tuisim import units
from tuisim.features.inspect.microscope.chain import Link, chain
from tuisim.features.inspect.microscope.reading import Reading
from tuisim.features.inspect.state import Inspected
from tuisim.terminal.lines import BLANK, Frame, Line, Tone, clip, clip_line, ends, spread, wrap

TERMS = 4
"""Terms of a sum that are written out; the rest is one sum."""
INDENT = "    "
PHASES = {"from the next layer": Tone.BACKWARD, "loss": Tone.LOSS, "sum": Tone.FORWARD, "activation": Tone.FORWARD,
          "chain rule": Tone.BACKWARD, "gradient": Tone.BACKWARD, "update": Tone.UPDATE}  # fmt: skip


def chain_lines(state: Inspected, frame: Frame) -> list[Line]:
    """Return the values from the sum to the update; with little room fewer terms are written out."""
    reading: Reading | None = state.found
    if reading is None:
        return wrap(state.words, frame.width, Tone.DIM)
    links = chain(reading)
    head = _head(reading, frame)
    terms = TERMS if frame.zoomed else next((n for n in range(TERMS, -1, -1) if _height(links, n, head) <= frame.height), 0)
    lines = list(head)
    for link in links:
        lines += _link_lines(link, terms, frame)
    return [*lines, *_total(links, frame)]


def _head(reading: Reading, frame: Frame) -> list[Line]:
    place, program = reading.place, reading.program
    n, m = program.layers[place.layer - 1], program.layers[place.layer]
    what = f"bias b[{place.unit}]" if place.input is None else f"weight W[{place.input},{place.unit}]"
    pieces: list[Line] = [
        ((f"{what} of layer {place.layer} ({n:,} → {m:,})", Tone.STRONG),),
        ((f"step {reading.step:,}, example {reading.example + 1} of a batch of {program.batch:,}", Tone.DIM),),
        ((f"{reading.before:.9g} → {reading.after:.9g}", Tone.UPDATE),),
    ]
    return [*spread(pieces, frame.width), BLANK]


def _height(links: list[Link], terms: int, head: list[Line]) -> int:
    return len(head) + 2 + sum(2 + _term_rows(link, terms) for link in links)


def _term_rows(link: Link, terms: int) -> int:
    return min(len(link.terms), terms) + (len(link.terms) > terms > 0)


def _link_lines(link: Link, terms: int, frame: Frame) -> list[Line]:
    """Return the formula with its operations, its terms, and the value with its difference from the buffer."""
    per = operations_words(link)
    left: Line = ((clip(link.formula, frame.width), PHASES[link.name]),)
    lines = [ends(left, ((per, Tone.DIM),), frame.width)]
    shown = link.terms[:terms]
    for name, value in shown:
        lines.append(_term(name, value, frame))
    if rest := link.terms[terms:] if terms else ():
        lines.append(_term(units.counted(len(rest), "more term"), math.fsum(value for _, value in rest), frame))
    buffer = f"   in the backend's buffer {link.found:.9g}"
    computed: Line = (
        (f"{INDENT}= {link.value + 0.0:.9g}", Tone.STRONG),
        (buffer, Tone.TEXT),
        (f"   {ulps_words(link)}", _tone(link)),
    )
    return [*lines, clip_line(computed, frame.width)]


def _term(name: str, value: float, frame: Frame) -> Line:
    wide = min(40, frame.width - 16)
    return (clip(INDENT + name, wide).ljust(wide), Tone.DIM), (f"{value:>15.9g}", Tone.TEXT)


def _tone(link: Link) -> Tone:
    return Tone.GOOD if link.ulps <= 1 else Tone.DIM


def ulps_words(link: Link) -> str:
    """Return the difference in words."""
    if link.ulps == 0:
        return "equal"
    if math.isinf(link.ulps):
        return "not finite"
    return f"differs by {link.ulps:.2g} ulp"


def operations_words(link: Link) -> str:
    """Return the operations of a value, and how often the step computes such a value."""
    signs = {"multiply": "×", "add": "+", "divide": "÷", "sqrt": "√", "derivative": "f′", "activation": "f"}
    counts = link.operations.as_dict()
    words = " ".join(f"{count:,}{signs.get(name, ' ' + name)}" for name, count in counts.items() if count)
    total = link.operations.total * link.times
    return f"{words} · {link.times:,} values = {total:,}" if link.times > 1 else f"{words} = {total:,}"


def _total(links: list[Link], frame: Frame) -> list[Line]:
    """Return the operations of all these operations of the step program, as the ledger has them."""
    total = sum(link.operations.total * link.times for link in links)
    words = f"together {total:,} operations in this step: the ledger's rows of these operations for its batch"
    return [BLANK, *wrap(words, frame.width, Tone.DIM)]
