"""The proof as lines: predicted and executed counts, the gradient check, and the backend check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuisim import units
from tuisim.accounting import Ledger
from tuisim.backends import precision
from tuisim.config import RunConfig
from tuisim.errors import printable
from tuisim.features.explain.proof.backend import PERTURBED_RUNS, BackendCheck
from tuisim.features.explain.proof.count import CountCheck
from tuisim.features.explain.proof.count_grid import all_counts, count_grid, predicted_counts, side_by_side, verdict
from tuisim.features.explain.proof.gradient import GradientCheck
from tuisim.features.explain.proof.proof import Check, Proof, ProofProgress
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Span, Tone, clip, fold, width_of, wrap
from tuisim.terminal.plot import Scale, bar
from tuisim.terminal.table import Column, table
from tuisim.terminal.text import job_lines, job_state, network_subjects, page_header

PASSED: Span = ("✓ passed", Tone.GOOD)
FAILED: Span = ("✗ failed", Tone.BAD)
DECADES = Scale(1e-17, 10.0, log=True)
"""The scale on which an error and its tolerance are marked."""
MAX_SCALE = 60
"""Cells of the scale."""
MAX_PROSE = 76
"""Cells of a line that is easy to read."""


@dataclass(frozen=True, slots=True)
class ProofState:
    """A proof so far."""

    config: RunConfig
    ledger: Ledger
    progress: ProofProgress | None = None
    proof: Proof | None = None
    failure: str = ""
    is_refused: bool = False
    """True if the failure is that it would take too long."""
    is_waiting: bool = False
    seconds: float = 0.0

    def check(self, name: str) -> Check | None:
        """Return the check called `name`; None until it has finished."""
        found = self.proof.checks if self.proof else self.progress.finished if self.progress else ()
        return next((check for check in found if check.name == name), None)


def header(state: ProofState, frame: Frame) -> list[Line]:
    """Return which network, and the result of its proof."""
    config = state.config.resolved()
    batch, dtype = units.count(config.full_batch), precision(config.backend, config.dtype)
    details = (
        f"{config.loss} · {config.optimizer} · batch {batch} · {config.backend} {dtype}",
        f"{config.loss} · batch {batch} · {config.backend}",
        f"{config.loss} · {config.backend}",
    )
    word = job_state(state.failure, state.is_waiting, False, "proving")
    if state.is_refused:
        word = ("✕ refused", Tone.BAD)
    elif state.proof is not None:
        word = ("✓ proved", Tone.GOOD) if state.proof.passed else ("✗ not proved", Tone.BAD)
    clock = units.clock(state.seconds) if state.proof is None else units.duration(state.proof.seconds)
    return [page_header("proof", network_subjects(config), details, (word, (f"  {clock}", Tone.TEXT)), frame.width)]


def page(state: ProofState, frame: Frame) -> list[Line]:
    """Return the header and all three checks."""
    lines = header(state, frame)
    count = state.check("count")
    if isinstance(count, CountCheck):
        lines += [BLANK, (("predicted count = executed count", Tone.ACCENT),), *all_counts(count, frame, operations=False)]
    for title, draw in (("gradient", gradient_lines), ("backend", backend_lines)):
        lines += [BLANK, ((title, Tone.ACCENT),), *draw(state, frame)]
    return lines


# ── the count ──


def count_lines(state: ProofState, frame: Frame) -> list[Line]:
    """Draw the grid of phases and kinds; zoomed also every operation."""
    check = state.check("count")
    if not isinstance(check, CountCheck):
        foot = _waiting(state, "count", "steps counted", frame)
        return [*count_grid(predicted_counts(state.ledger), frame, len(foot) + 1), BLANK, *foot][: frame.height]
    if frame.zoomed:
        return all_counts(check, frame)
    result = verdict(check, frame.width)
    lines = side_by_side(check, frame, len(result))
    if len(lines) + len(result) > frame.height:
        return [*result, *lines][: frame.height]
    air = [BLANK] if len(lines) + len(result) < frame.height else []
    return [*lines, *air, *result]


# ── the gradient and the backend ──

_GRADIENT = (
    "Each parameter is changed by ±h, with all others fixed, and the change of the loss is compared with the derivative of the "
    "backward pass. If the input of a ReLU changes sign within h, the loss has no derivative there."
)
_WAITING = "The chosen backend and plain Python make the same steps: the same initial parameters, data and order."
_BACKEND = (
    "The scalar backend computes in double precision, so {dtype} must differ a little. The tolerance is the largest difference "
    "of {runs} runs in float64 in which every parameter is perturbed by a relative {share} at most before each step."
)


def gradient_lines(state: ProofState, frame: Frame) -> list[Line]:
    """Return the worst relative error, where it is, and how many parameters were checked."""
    check = state.check("gradient")
    if not isinstance(check, GradientCheck):
        return _waiting(state, "gradient", "parameters", frame, _GRADIENT)
    checked, parameters = units.count(check.checked), units.count(check.parameters)
    which = (f"all {parameters}", "parameters") if check.every else (f"{checked} of {parameters}", "sampled from every layer")
    figures = [
        ("worst", units.figure(check.worst, 2), "relative error"),
        ("at", check.where or "", ""),
        ("analytic", units.figure(check.analytic, 7), "backward pass"),
        ("numerical", units.figure(check.numerical, 7), "(L(θ+h) − L(θ−h)) / 2h"),
        ("checked", *which),
        ("skipped", units.count(check.kinks), "at a ReLU kink"),
        ("tolerance", units.figure(check.tolerance, 2), f"h {units.figure(check.step, 2)}"),
        ("examples", units.count(check.examples), "NumPy, float64"),
    ]
    return _result(check, "vs central differences", figures, _GRADIENT, frame)


def backend_lines(state: ProofState, frame: Frame) -> list[Line]:
    """Return the largest differences of parameters and losses, and their tolerances."""
    check = state.check("backend")
    if not isinstance(check, BackendCheck):
        return _waiting(state, "backend", "steps in plain Python", frame, _WAITING)
    losses = f"{units.figure(check.first_loss, 4)} → {units.figure(check.last_loss, 4)}"
    figures = [
        ("steps", units.count(check.steps), f"{units.count(check.examples)} examples"),
        ("difference", units.figure(check.worst, 2) or "not finite", "maximum over all parameters"),
        ("at", check.where or "", ""),
        ("tolerance", units.figure(check.tolerance, 2), f"{check.dtype} rounding"),
        ("loss diff.", units.figure(check.worst_loss, 2) or "not finite", "maximum over all steps"),
        ("tolerance", units.figure(check.loss_tolerance, 2), f"{check.dtype} rounding"),
        ("loss", losses, "scalar backend, first and last step"),
        ("max |θ|", units.figure(check.largest_parameter, 3), "largest parameter"),
    ]
    words = _BACKEND.format(dtype=check.dtype, share=units.figure(check.perturbation, 2), runs=PERTURBED_RUNS)
    reference = "vs the scalar reference" if frame.width >= 50 else "vs scalar"
    return _result(check, f"{check.backend} {check.dtype} {reference}", figures, words, frame)


Figure = tuple[str, str, str]
"""A name, its figure, and a remark."""


def _result(
    check: GradientCheck | BackendCheck, title: str, figures: Sequence[Figure], explanation: str, frame: Frame
) -> list[Line]:
    """Return verdict, scale, figures and explanation; what matters less is left out if there is no room."""
    head: Line = (PASSED if check.passed else FAILED, (clip(f"  {title}", frame.width - 8), Tone.TEXT))
    rows = _figure_lines([row for row in figures if check.passed or row[0] != "at"], frame)
    drawn = _scale(check.worst, check.tolerance, frame)
    blocks = [
        Block(0, [head]),
        Block(1, [] if check.passed else wrap(f"at {check.where}", frame.width, Tone.BAD)),
        Block(4, [BLANK, *drawn] if drawn else []),
        Block(5, [BLANK]),
        Block(2, rows[:5]),
        *(Block(3, [row]) for row in rows[5:]),
        Block(6, [BLANK, *wrap(explanation, min(frame.width, MAX_PROSE), Tone.DIM)]),
    ]
    return fold(blocks, 10_000 if frame.zoomed else frame.height)


def _waiting(state: ProofState, name: str, what: str, frame: Frame, words: str = "") -> list[Line]:
    """Return the progress of a check that has not finished, and in `words` what it will do."""
    if state.failure or state.is_waiting:
        hint = "; f forces it" if state.is_refused else ""
        lines = job_lines(printable(state.failure, 500) + hint if state.failure else "", state.is_waiting, "", frame.width)
        return lines if name == "gradient" or (state.is_waiting and name == "count") else []
    prose = [BLANK, *wrap(words, min(frame.width, MAX_PROSE), Tone.DIM)] if words else []
    progress = state.progress
    if progress is None or progress.check != name:
        first = "loading the data, timing plain Python" if progress is None and name == "count" else "waiting"
        return [((clip(first, frame.width), Tone.DIM),), *prose]
    done, of = progress.done, progress.of
    figures = f"{units.count(done).rjust(len(units.count(of)))} of {units.count(of)} {what}"
    takes = f"; plain Python takes about {units.duration(progress.scalar_seconds)} of the proof, projected"
    drawn = bar(done / of if of else 0.0, max(1, min(frame.width, MAX_SCALE)), frame.chart_style)
    return [
        ((clip(figures, frame.width), Tone.TEXT), (clip(takes, max(0, frame.width - len(figures))), Tone.DIM)),
        ((drawn[0], Tone.AREA), (drawn[1], Tone.FAINT)),
        *prose,
    ]


def _figure_lines(rows: Sequence[Figure], frame: Frame) -> list[Line]:
    """Return one line for each figure; the remark is left out if there is no room for it."""
    names = [Column("", right=False, min_width=10), Column("", right=False)]
    room = frame.width - max(10, *(len(row[0]) for row in rows)) - 2
    cells: list[list[Span]] = [[(name, Tone.DIM), (clip(figure, room), Tone.TEXT)] for name, figure, _ in rows]
    lines = table(names, cells, min(frame.width, 40))[1:]
    wide = max(map(width_of, lines)) + 2
    return [
        (*line, (" " * (wide - width_of(line)), Tone.TEXT), (remark, Tone.DIM)) if wide + len(remark) <= frame.width else line
        for line, (_, _, remark) in zip(lines, rows, strict=True)
    ]


def _scale(worst: float | None, tolerance: float | None, frame: Frame) -> list[Line]:
    """Draw the decades from 1e-17 to 10 with the worst error and the tolerance."""
    width = min(frame.width, MAX_SCALE)
    if worst is None or tolerance is None or width < 20:
        return []
    at, limit = _column(worst, width), _column(tolerance, width)
    row: list[Span] = [("─", Tone.DIM if i < limit else Tone.FAINT) for i in range(width)]
    row[limit] = ("┃", Tone.STRONG)
    row[at] = ("●", Tone.GOOD if worst <= tolerance else Tone.BAD)
    foot = f"{DECADES.low:g}".ljust(width - 2) + f"{DECADES.high:g}"
    words = "┃ tolerance" if limit + 14 < width else "tolerance ┃"
    left = max(6, min(limit if words[0] == "┃" else limit - len(words) + 1, width - len(words) - 3))
    return [tuple(row), ((foot[:left] + words + foot[left + len(words) :], Tone.DIM),)]


def _column(value: float, width: int) -> int:
    return round(DECADES.at(min(max(value, DECADES.low), DECADES.high)) * (width - 1))
