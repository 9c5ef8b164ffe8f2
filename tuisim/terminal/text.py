"""Words and lines that pages share: figures, a network in few characters, a header, and what a page shows while it waits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from tuisim.config import RunConfig
from tuisim.predict.prediction import Interval
from tuisim.terminal.lines import Line, Span, Tone, clip, ends, width_of, wrap
from tuisim.units import duration, figure, layers_text, short_count, size

MAX_NETWORK = 48
"""Cells of layer sizes that can be read at a glance."""

NO_COUNT = "·"
"""The cell of a count of 0."""


def number(value: int | float | None, width: int) -> str:
    """Write a count in at most `width` characters: in full if it fits, else with an SI prefix, else as a power of ten."""
    text = short_count(value, width)
    if value is None or len(text) <= width:
        return text
    return f"{value:.2e}" if width >= 8 else f"{value:.0e}"


def weight(bytes_: int) -> str:
    """Write a number of bytes in binary units, or as a power of ten beyond them."""
    text = size(bytes_)
    return text if len(text) <= 12 else f"{bytes_:.2e} B"


def aligned(values: Sequence[int | float], width: int) -> list[str]:
    """Write a right-aligned column of `width` cells with aligned decimal points."""
    texts = [number(value, width - 1) if value else NO_COUNT for value in values]
    fraction = any("." in text and text[-1].isdigit() for text in texts)
    if fraction and all(len(text) + 3 < width or "." in text for text in texts):
        texts = [text if "." in text else f"{text}   " for text in texts]
    return [f"{text:>{width}}" for text in texts]


def duration_words(seconds: float) -> str:
    """Write a duration, or `∞`."""
    return duration(seconds) if math.isfinite(seconds) else "∞"


def interval_words(interval: Interval | None) -> str:
    """Write the ends of an interval of seconds; empty if there is none."""
    return "" if interval is None else f"{duration_words(interval.low)} to {duration_words(interval.high)}"


def loss_text(loss: float | None) -> str:
    """Write a loss in three significant digits, without zeros in the exponent: `6.98e-4`."""
    mantissa, e, exponent = figure(loss).partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa


def network_words(config: RunConfig) -> tuple[str, str, str]:
    """Return the network in full, with runs of equal layers merged, and with the middle left out."""
    names = [name for name, _ in groupby(config.activations[:-1])]
    activations = names[0] if len(names) == 1 else "mixed" if names else config.output_activation
    sizes = config.layers
    runs = [(size, len(list(group))) for size, group in groupby(sizes)]
    merged = "-".join(f"{size}×{n}" if n > 3 else "-".join([str(size)] * n) for size, n in runs)
    shortest = f"{short_count(sizes[0], 7)}-…-{short_count(sizes[-1], 7)} ({len(sizes) - 1} layers)"
    return f"{layers_text(sizes)} {activations}", f"{merged} {activations}", f"{shortest} {activations}"


def network_subjects(config: RunConfig) -> list[str]:
    """Return the ways to write the network in a header, the longest first."""
    *longer, shortest = network_words(config)
    return [*(words for words in longer if len(words) <= MAX_NETWORK), shortest]


def page_header(page: str, subjects: Sequence[str], details: Sequence[str], state: Line, width: int) -> Line:
    """Return a page's header: its name, its subject, details, and at the right edge the state of its work.

    The first of `subjects` that fits is taken (the last is clipped), then the first of `details` that fits beside it.
    """
    head: Line = ((f" {page}  ", Tone.ACCENT),)
    room = max(1, width - width_of(head) - width_of(state) - 2)
    subject = next((words for words in subjects if len(words) <= room), clip(subjects[-1], room))
    detail = next((words for words in details if len(subject) + len(words) + 3 <= room), "")
    return ends((*head, (subject, Tone.STRONG), (detail and f" · {detail}", Tone.TEXT)), state, width - 1)


def job_state(failure: str, is_waiting: bool, is_finished: bool, working: str = "measuring") -> Span:
    """Return one word about a page's job."""
    if failure:
        return "✕ failed", Tone.BAD
    if is_finished:
        return "■ finished", Tone.GOOD
    return ("‖ waiting", Tone.WARNING) if is_waiting else (f"◌ {working}", Tone.ACCENT)


def job_lines(failure: str, is_waiting: bool, working: str, width: int) -> list[Line]:
    """Return the lines of a panel that has nothing to show yet: why its job failed, that it waits, or what it is doing."""
    if failure:
        return wrap(failure, width, Tone.BAD)
    return wrap("a run is in progress: m pauses it and starts" if is_waiting else working, width, Tone.DIM)
