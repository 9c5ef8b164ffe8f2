"""How the chosen row of the hours-or-days screen comes about: the operations behind it, its steps, its sources.

It draws a row of a projection or of the ladder; it reckons neither.
"""

from __future__ import annotations

from tuisim import units
from tuisim.engine.events import Snapshot
from tuisim.errors import printable
from tuisim.features.estimate.volume.view import SceneView, reach
from tuisim.predict.known_networks import MULTIPLY_ADD, TRAINING, TRAINING_SOURCE
from tuisim.predict.project import Climb, Projection, Rung
from tuisim.provenance import Provenance, Provenances
from tuisim.terminal.lines import BLANK, Block, Frame, Line, Tone, clip, fold, spread, wrap

MOST_DIGITS = 11
"""Characters of a count; a longer one is rounded."""
ROOMY = 70
"""Cells from which on each factor has its word."""


class OperationsBehindView(SceneView):
    """How the chosen row's time comes about: operations an example, examples, epochs; steps and what each takes."""

    @property
    def kinds(self) -> Provenances:
        if self.scene.climb:
            given = (("volume", Provenance.GIVEN),) if self.scene.climb.examples or self.scene.climb.epochs else ()
            rate = (("rate", self.scene.climb.rate.mark),) if self.scene.climb.rate else ()
            return (("", Provenance.PUBLISHED), *given, *rate, ("times", Provenance.PROJECTED))
        return (("", Provenance.COUNTED), ("examples and epochs", Provenance.GIVEN), ("times", Provenance.PROJECTED))

    def lines(self, snapshot: Snapshot | None, frame: Frame) -> list[Line]:
        scene = self.scene
        if scene.chosen >= scene.rows:
            return []
        blocks = self._rung(scene.climb, frame.width) if scene.climb else []
        if scene.projection and not scene.climb:
            blocks = self._backend(scene.projection, frame.width)
        if frame.zoomed:
            return [line for block in blocks for line in block.lines]
        return fold(blocks, frame.height)

    def _backend(self, found: Projection, width: int) -> list[Block]:
        row = found.rows[self.scene.chosen]
        epochs = _times(found.epochs)
        operations: list[Line] = [
            _figure(units.short_count(found.operations_per_example, MOST_DIGITS), "operations an example"),
            _figure(f"× {units.short_count(found.examples, MOST_DIGITS)}", "examples"),
            _figure(f"× {epochs}", ""),
            _figure(f"= {units.si(found.operations)}", "operations", Tone.ACCENT),
        ]
        whose = f"as on {row.machine}, another machine" if row.foreign else row.machine
        blocks = [
            Block(
                0, spread([((row.label, Tone.STRONG), (f"  {clip(whose, max(1, width - len(row.label) - 2))}", Tone.DIM))], width)
            ),
            Block(5, [BLANK]),
            Block(1, spread(operations, width, gap=1)),
        ]
        if row.seconds is None or row.step is None:
            return [*blocks, Block(2, wrap(printable(row.reason or "not known", 300), width, Tone.WARNING))]
        rest = found.examples % found.batch
        last = f", the last of {units.short_count(rest)}" if rest else ""
        steps: list[Line] = [
            _figure(
                units.short_count(found.steps_per_epoch, MOST_DIGITS), f"steps of {units.short_count(found.batch)} an epoch{last}"
            ),
            _figure(f"× {epochs}", ""),
            _figure(f"× {units.duration(row.step.likely)}", f"a step ({reach(row.step)}), and shuffling"),
            _figure(f"= {units.duration(row.seconds.likely)}", f"({reach(row.seconds)})", Tone.ACCENT),
        ]
        return [*blocks, Block(2, spread(steps, width, gap=1))]

    def _rung(self, found: Climb, width: int) -> list[Block]:
        rung = found.rungs[self.scene.chosen]
        known = rung.known
        head = f"{known.name}  {known.year}  "
        what = f"{units.si(known.parameters)} parameters; an example is {known.example}"
        if len(head) + len(what) > width:
            what = f"an example is {known.example}"
        roomy = width >= ROOMY
        operations: list[Line] = [
            _figure(units.si(known.forward), "multiply-adds" + " forward" * roomy),
            _figure(f"× {MULTIPLY_ADD}", "operations each" * roomy),
            _figure(f"× {TRAINING}", "with backward" * roomy),
            _figure(f"= {units.si(known.operations)}", "an example"),
        ]
        if rung.seen is not None and rung.operations is not None:
            operations += [
                _figure(f"× {self._seen(found, rung)}", ""),
                _figure(f"= {units.si(rung.operations)}", "operations", Tone.ACCENT),
            ]
        sources = [
            ("parameters", known.parameters_source),
            ("forward", known.forward_source),
            ("training", known.training_source),
            ("with backward", TRAINING_SOURCE),
        ]
        return [
            Block(0, [((head, Tone.STRONG), (clip(what, max(1, width - len(head))), Tone.DIM))]),
            Block(6, [BLANK]),
            Block(1, spread(operations, width, gap=1)),
            Block(2, wrap(found.assumption, width, Tone.TEXT)),
            Block(7, [BLANK]),
            *(Block(3 + (i > 1), wrap(f"{of}: {source}", width, Tone.DIM)) for i, (of, source) in enumerate(sources)),
        ]

    @staticmethod
    def _seen(found: Climb, rung: Rung) -> str:
        """Examples and epochs, or all that it saw where only that is published."""
        examples = rung.known.examples if found.examples is None else found.examples
        epochs = rung.known.epochs if found.epochs is None else found.epochs
        if examples is None or epochs is None or examples * epochs != rung.seen:
            return f"{units.short_count(rung.seen, MOST_DIGITS)} examples"
        return f"{units.short_count(examples, MOST_DIGITS)} examples × {_times(epochs)}"


def _figure(number: str, what: str, tone: Tone = Tone.STRONG) -> Line:
    return ((number, tone), (f" {what}", Tone.DIM)) if what else ((number, tone),)


def _times(epochs: int) -> str:
    return units.counted(epochs, "epoch", MOST_DIGITS)
