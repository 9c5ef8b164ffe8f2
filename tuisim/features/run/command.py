"""`tuisim run`: train without the app; a progress line on stderr, a summary on stdout."""

from __future__ import annotations

import json
import os
import sys
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING

from tuisim import threads, units
from tuisim.cli.console import MIN_WIDTH, ProgressLine, note, print_lines
from tuisim.cli.console import line as write
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.errors import ExitCode, printable
from tuisim.stages import Stages
from tuisim.terminal.lines import ChartStyle
from tuisim.units import layers_text

if TYPE_CHECKING:  # these import NumPy, which the help does not need
    from tuisim.engine import Event as RunEvent
    from tuisim.engine import Snapshot, Summary
    from tuisim.predict.prediction import Prediction


STAGES_SECONDS = 0.2
"""Seconds between two looks at the stages of the start."""


def run(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    json_: Json = False,
) -> int:
    """Train a network and print a summary."""
    from tuisim.engine import Trainer
    from tuisim.features.run.prediction import predict_run, with_prediction
    from tuisim.features.run.training import Training
    from tuisim.predict.record import keep

    stages = Stages()
    line = _RunProgress(stages)
    with line:
        with stages.stage("data"):
            resolved = resolve(layers, options, config)
        trainer = Trainer(resolved, stages=stages)
    prediction = predict_run(trainer.config, trainer.kept_rows)
    with Training(trainer, line.follow, line.say) as training:
        with line:
            summary = training.run()
        not_kept = "" if summary is None or training.cut_short else keep(summary, prediction)
        if summary is not None and json_:
            print(json.dumps(with_prediction(summary.to_dict(), summary, prediction)))
        elif summary is not None:
            _print(summary, prediction)
        if training.cut_short or summary is None:  # its thread may be in compiled code, which nothing interrupts
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(training.code or ExitCode.INTERRUPTED)
        if not_kept:
            note(f"this run was not kept: {not_kept}")
        if summary.exit_code is ExitCode.RUN_FAILED:
            note(f"{summary.ended.value}: {summary.message}")
        sys.stdout.flush()
    return int(summary.exit_code) if training.code is None else training.code


class _RunProgress(ProgressLine):
    """The stages of the start of a run, then its epoch, its loss, its speed and the time left."""

    def __init__(self, stages: Stages) -> None:
        super().__init__()
        self._stages = stages
        self._answer = ""
        self._has_named_threads = False
        self._has_begun = Event()
        """Set once the stages are no longer shown."""

    def __enter__(self) -> _RunProgress:
        self._has_begun.clear()
        if self.is_shown:
            threads.start(Thread(target=self._show_stages, name="tuisim-stages", daemon=True))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._has_begun.set()
        super().__exit__(kind, error, trace)

    def _show_stages(self) -> None:
        """Show the stages until the first snapshot: a thread does it, since the one that works is in the middle of them."""
        from tuisim.features.run.starting import starting_line
        from tuisim.terminal.lines import text

        while True:
            self.show(self._answer or text(starting_line(self._stages.now(), self.width)), unless=self._has_begun)
            if self._has_begun.wait(STAGES_SECONDS):
                return

    def say(self, words: str) -> None:
        """Show the answer to a signal at once, and from now on instead of the epoch."""
        self._answer = words
        self.show(words)

    def follow(self, item: RunEvent | Snapshot) -> None:
        """Show a snapshot."""
        from tuisim.engine import Snapshot
        from tuisim.terminal.plot import bar

        if not isinstance(item, Snapshot) or not item.step:
            return
        self._has_begun.set()
        waiting = next((hint for hint in item.hints if hint.name == "waiting_threads"), None)
        if waiting is not None and not self._has_named_threads:
            self._has_named_threads = True
            note(f"{waiting.words}; try --threads {waiting.value}")
        done = "".join(bar(item.step / item.total_steps, 20, ChartStyle.BRAILLE)) if item.total_steps else ""
        rate = item.throughput.examples_per_second if item.throughput is not None else None
        figures = [f"loss {units.figure(item.loss)}"]
        figures += [f"{units.si(rate)} examples/s"] * (rate is not None)
        figures += [f"{units.duration(item.seconds_left)} left"] * (item.seconds_left is not None)
        self.show(f"{self._answer or f'epoch {item.epoch:,}'} {done} {' · '.join(figures)}")


def _print(summary: Summary, prediction: Prediction | None) -> None:
    """Print the summary, one figure per line, each with its provenance."""
    from tuisim.backends.numpy.blas import blas
    from tuisim.features.run.confusion import HEADING, MAX_PRINTED, figures_text, matrix_lines
    from tuisim.features.run.prediction import score_words

    rate, flops = summary.examples_per_second, summary.flops_per_second
    total = sum(seconds for _, seconds in summary.phase_seconds)
    shares = [(phase, seconds / total) for phase, seconds in summary.phase_seconds if total]
    flushed = f"{summary.flushed:,} optimizer values flushed to 0" if summary.flushed else ""
    subnormal = f"{summary.subnormal:,} optimizer values are subnormal at the end" if summary.subnormal else ""
    lines = [
        ("network", layers_text(summary.config.layers), "given"),
        ("parameters", f"{summary.parameters:,}", "counted"),
        ("data", f"{printable(summary.data)}, {units.count(summary.config.examples)} examples per epoch", "counted"),
        ("backend", f"{summary.backend} ({summary.device})", ""),
        ("trained", f"{summary.epochs:,} epochs, {summary.steps:,} steps, {summary.examples_seen:,} examples", "counted"),
        ("operations", f"{units.short_count(summary.operations.total, 20)}", "counted"),
        ("time", f"{units.duration(summary.seconds)} in steps, {units.duration(summary.wall_seconds)} wall time", "measured"),
        *(("predicted", words, "projected") for words in score_words(summary, prediction)),
        ("throughput", f"{units.si(rate)} examples/s, {units.si(flops, 'FLOP/s')}" if rate is not None else "", "measured"),
        ("phases", ", ".join(f"{phase} {units.percent(share, 0)}" for phase, share in shares), "measured"),
        ("loss", units.figure(summary.loss), "measured"),
        ("validation", figures_text(summary) if summary.validation_loss is not None else "", "measured"),
        ("subnormals", flushed or subnormal, "counted"),
        ("status", f"{summary.ended.value} {summary.message}".rstrip(), ""),
    ]
    for name, text, kind in lines:
        if text:
            write(f"{name:<11} {text:<62} {kind}".rstrip())
    if summary.backend == "numpy" and (pinned := blas().pinned_by):
        write(f"{'note':<11} {pinned} pins the BLAS kernel; it may be slower than this processor allows")
    for hint in summary.hints:
        write(f"{'hint':<11} {hint.words}")
        if hint.field is not None:
            write(f"{'':<11} try {hint.remedy}")
    for words in summary.notes:
        write(f"{'note':<11} {words}")
    confusion = summary.confusion
    if confusion is not None and len(confusion.classes) <= MAX_PRINTED and (matrix := matrix_lines(confusion, MIN_WIDTH)):
        write(f"{'confusion':<11} {HEADING:<62} measured")
        print_lines(matrix)
