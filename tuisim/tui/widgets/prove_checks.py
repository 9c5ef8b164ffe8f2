"""Panels 2 and 3 of a proof: the gradient against central differences, and the backend beside the scalar one.

They read checks that have ended and draw how far the others are.
"""

from __future__ import annotations

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.study.prove_backend import BackendCheck
from tuisim.study.prove_gradient import GradientCheck
from tuisim.tui.widgets.lines import BLANK, Block, Frame, Line, Tone, clip, fold, wrap
from tuisim.tui.widgets.prove_lines import FAILED, PASSED, Moment, pairs, scale, waiting


class GradientProofView:
    """Worst error, where, and how many were looked at."""

    def __init__(self) -> None:
        self.moment = Moment()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        check = self.moment.check("gradient")
        if not isinstance(check, GradientCheck):
            return waiting(self.moment, "gradient", "parameters", frame)
        looked = "every parameter" if check.every else f"drawn of {units.count(check.parameters)}"
        first = [
            ("worst", units.figure(check.worst, 2), "relative error"),
            ("where", check.where or "", ""),
            ("analytic", units.figure(check.analytic, 7), "backward pass"),
            ("difference", units.figure(check.difference, 7), "(L(θ+h) − L(θ−h)) / 2h"),
            ("checked", f"{units.count(check.checked)} {looked}", "" if check.every else "from every layer"),
        ]
        second = [
            ("at a corner", units.count(check.corners), "of relu: not judged"),
            ("allowed", units.figure(check.tolerance, 2), f"h {units.figure(check.step, 2)}"),
            ("examples", units.count(check.examples), "NumPy, float64"),
        ]
        worst = check.where or ""
        return _panel(check.passed, "against central differences", first, second, (check.worst, check.tolerance), worst, frame)


class BackendProofView:
    """Largest differences, where, and whether the dtype explains them."""

    def __init__(self) -> None:
        self.moment = Moment()

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        check = self.moment.check("backend")
        if not isinstance(check, BackendCheck):
            return waiting(self.moment, "backend", "steps in plain Python", frame)
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
        beside = f"{check.backend} {check.dtype} beside scalar"
        return _panel(check.passed, beside, first, second, (check.worst, check.tolerance), check.where or "", frame)


def _panel(
    passed: bool,
    words: str,
    first: list[tuple[str, str, str]],
    second: list[tuple[str, str, str]],
    marks: tuple[float | None, float | None],
    where: str,
    frame: Frame,
) -> list[Line]:
    """Verdict, scale and figures; what matters less is left out where room is short."""
    verdict: Line = (PASSED if passed else FAILED, (clip(f"  {words}", frame.width - 8), Tone.TEXT))
    rows = pairs([*first, *second], frame)
    place = [] if passed else wrap(where, frame.width, Tone.BAD)
    blocks = [
        Block(0, [verdict]),
        Block(1, place),
        Block(5, [BLANK]),
        Block(4, scale(*marks, frame)),
        Block(6, [BLANK]),
        Block(2, rows[: len(first)]),
        *(Block(3, [row]) for row in rows[len(first) :]),
    ]
    return fold(blocks, 10_000 if frame.zoomed else frame.height)
