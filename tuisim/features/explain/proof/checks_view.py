"""Panels 2 and 3 of a proof: the gradient against central differences, and the backend beside the scalar one.

They read checks that have ended and draw how far the others are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.features.explain.proof.backend import SHADOWS, BackendCheck
from tuisim.features.explain.proof.gradient import GradientCheck
from tuisim.features.explain.proof.view import FAILED, MOST_PROSE, PASSED, Figure, Moment, pairs, scale, waiting
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Tone, clip, fold, wrap

_GRADIENT_WORDS = (
    "Each parameter is moved up and down by h, all others held, and what the loss does is set against what the backward pass "
    "said. Where relu changes sides within h the loss has no one slope."
)
_WAITING_WORDS = (
    "The chosen backend and plain Python make the same steps, from the same parameters, on the same data, in the same order."
)
_BACKEND_WORDS = (
    "Same parameters, data and order. The scalar backend works in doubles, so {dtype} must differ a little: explained is what "
    "{shadows} runs in float64 differ by at most when every parameter is disturbed by up to {share} of itself before each step."
)


class GradientProofView:
    """Worst error, where, and how many were looked at."""

    kinds: Provenances = (("", Provenance.MEASURED), ("parameters", Provenance.COUNTED))

    def __init__(self) -> None:
        self.moment = Moment()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        check = self.moment.check("gradient")
        if not isinstance(check, GradientCheck):
            return waiting(self.moment, "gradient", "parameters", frame, _GRADIENT_WORDS)
        checked, parameters = units.count(check.checked), units.count(check.parameters)
        looked = (f"all {parameters}", "parameters") if check.every else (f"{checked} of {parameters}", "drawn from every layer")
        first = [
            ("worst", units.figure(check.worst, 2), "relative error"),
            ("where", check.where or "", ""),
            ("analytic", units.figure(check.analytic, 7), "backward pass"),
            ("difference", units.figure(check.difference, 7), "(L(θ+h) − L(θ−h)) / 2h"),
            ("checked", *looked),
        ]
        second = [
            ("at a corner", units.count(check.corners), "of relu: not judged"),
            ("allowed", units.figure(check.tolerance, 2), f"h {units.figure(check.step, 2)}"),
            ("examples", units.count(check.examples), "NumPy, float64"),
        ]
        figures = _Figures(
            check.passed, "against central differences", check.where or "", check.worst, check.tolerance, first, second
        )
        return figures.lines(_GRADIENT_WORDS, frame)


class BackendProofView:
    """Largest differences, where, and whether the dtype explains them."""

    kinds: Provenances = (("", Provenance.MEASURED), ("steps", Provenance.COUNTED))

    def __init__(self) -> None:
        self.moment = Moment()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        check = self.moment.check("backend")
        if not isinstance(check, BackendCheck):
            return waiting(self.moment, "backend", "steps in plain Python", frame, _WAITING_WORDS)
        first = [
            ("steps", units.count(check.steps), f"{units.count(check.examples)} examples"),
            ("parameters", f"±{units.figure(check.worst, 2) or ' not finite'}", "largest difference"),
            ("where", check.where or "", ""),
            ("explained", units.figure(check.tolerance, 2), f"by {check.dtype}'s rounding"),
            ("losses", f"±{units.figure(check.worst_loss, 2) or ' not finite'}", "largest difference"),
        ]
        second = [
            ("explained", units.figure(check.loss_tolerance, 2), f"by {check.dtype}'s rounding"),
            ("loss", f"{units.figure(check.first_loss, 4)} → {units.figure(check.last_loss, 4)}", "scalar, first and last step"),
            ("largest", units.figure(check.largest_parameter, 3), "parameter"),
        ]
        beside = f"{check.backend} {check.dtype} beside scalar in float64"
        figures = _Figures(check.passed, beside, check.where or "", check.worst, check.tolerance, first, second)
        words = _BACKEND_WORDS.format(dtype=check.dtype, share=units.figure(check.disturbance, 2), shadows=SHADOWS)
        return figures.lines(words, frame)


@dataclass(frozen=True, slots=True)
class _Figures:
    """What both panels are made of."""

    passed: bool
    words: str
    where: str
    worst: float | None
    tolerance: float | None
    first: Sequence[Figure]
    second: Sequence[Figure]

    def lines(self, explanation: str, frame: Frame) -> list[Line]:
        """Verdict, scale, figures and what they mean; what matters less is left out where room is short."""
        verdict: Line = (PASSED if self.passed else FAILED, (clip(f"  {self.words}", frame.width - 8), Tone.TEXT))
        first = [row for row in self.first if self.passed or row[0] != "where"]
        rows = pairs([*first, *self.second], frame)
        drawn = scale(self.worst, self.tolerance, frame)
        prose = wrap(explanation, min(frame.width, MOST_PROSE), Tone.DIM)
        blocks = [
            Block(0, [verdict]),
            Block(1, [] if self.passed else wrap(f"at {self.where}", frame.width, Tone.BAD)),
            Block(4, [BLANK, *drawn] if drawn else []),
            Block(5, [BLANK]),
            Block(2, rows[: len(first)]),
            *(Block(3, [row]) for row in rows[len(first) :]),
            Block(6, [BLANK, *prose]),
        ]
        return fold(blocks, 10_000 if frame.zoomed else frame.height)
