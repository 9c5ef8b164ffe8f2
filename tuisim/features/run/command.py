"""`tuisim run`: train without the app; a progress line on stderr, a summary on stdout."""

from __future__ import annotations

import json
import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from tuisim import units
from tuisim.cli.console import MIN_WIDTH, note, print_lines
from tuisim.cli.console import line as write
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.errors import ExitCode, printable
from tuisim.units import layers_text

if TYPE_CHECKING:  # these import NumPy, which the help does not need
    from tuisim.engine import Event, Snapshot, Summary
    from tuisim.predict.prediction import Prediction


def run(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    json_: Json = False,
) -> int:
    """Train a network and print a summary."""
    from tuisim.engine import Trainer
    from tuisim.features.run.prediction import predict_run
    from tuisim.features.run.training import Training
    from tuisim.predict.record import keep

    trainer = Trainer(resolve(layers, options, config))
    prediction = predict_run(trainer.config, trainer.kept_rows)
    line = _ProgressLine()
    with Training(trainer, line.show, line.say) as training:
        with line:
            summary = training.run()
        if training.cut_short:
            _end_now(summary, prediction, json_, training.code)
        assert summary is not None
        not_kept = keep(summary, prediction)
        _tell(summary, prediction, json_)
        if not_kept:
            note(f"this run was not kept: {not_kept}")
        if summary.exit_code is ExitCode.RUN_FAILED:
            note(f"{summary.ended.value}: {summary.message}")
        sys.stdout.flush()
    return int(summary.exit_code) if training.code is None else training.code


def _tell(summary: Summary, prediction: Prediction | None, json_: bool) -> None:
    from tuisim.features.run.prediction import with_prediction

    if json_:
        print(json.dumps(with_prediction(summary.to_dict(), summary, prediction)))
    else:
        _print(summary, prediction)


def _end_now(summary: Summary | None, prediction: Prediction | None, json_: bool, code: int | None) -> NoReturn:
    """Print the summary and end the process: the training thread may be in compiled code, which nothing interrupts."""
    if summary is not None:
        _tell(summary, prediction, json_)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or ExitCode.INTERRUPTED)


class _VisibleCursor(Console):
    """A console that never hides the cursor, so that it need not be shown again however the program ends."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


class _ProgressLine:
    """A progress line by rich, on a terminal only."""

    def __init__(self) -> None:
        self._console = _VisibleCursor(stderr=True)
        self._said = ""
        self._progress: Progress | None = None

    def __enter__(self) -> _ProgressLine:
        if self._console.is_terminal:
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[figures]}"),
                console=self._console,
                transient=True,
                auto_refresh=False,
            )
            self._task = self._progress.add_task("starting", total=None, figures="")
            self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, words: str) -> None:
        """Show these words at once, and from now on instead of the epoch."""
        self._said = words
        if self._progress is not None:
            self._progress.update(self._task, description=words)
            self._progress.refresh()

    def show(self, item: Event | Snapshot) -> None:
        """Show a snapshot's epoch, loss, speed and time left."""
        from tuisim.engine import Snapshot

        if self._progress is None or not isinstance(item, Snapshot):
            return
        left = f" · {units.duration(item.seconds_left)} left" if item.seconds_left is not None else ""
        rate = item.throughput.examples_per_second if item.throughput is not None else None
        speed = f" · {units.si(rate)} examples/s" if rate is not None else ""
        self._progress.update(
            self._task,
            description=self._said or f"epoch {item.epoch:,}",
            completed=item.step,
            total=item.total_steps,
            figures=f"loss {units.figure(item.loss)}{speed}{left}",
        )
        self._progress.refresh()


def _print(summary: Summary, prediction: Prediction | None) -> None:
    """Print the summary, one figure per line, each with its provenance."""
    from tuisim.backends.numpy.blas import blas
    from tuisim.features.run.confusion import HEADING, MAX_PRINTED, figures_text, matrix_lines
    from tuisim.features.run.prediction import score_words

    rate, flops = summary.examples_per_second, summary.flops_per_second
    lines = [
        ("network", layers_text(summary.config.layers), "given"),
        ("parameters", f"{summary.parameters:,}", "counted"),
        ("data", f"{printable(summary.data)}, {units.count(summary.config.examples)} examples per epoch", "counted"),
        ("backend", f"{summary.backend} ({summary.device})", ""),
        ("trained", f"{summary.epochs:,} epochs, {summary.steps:,} steps, {summary.examples_seen:,} examples", "counted"),
        ("operations", f"{units.short_count(summary.operations.total, 20)}", "counted"),
        ("step time", f"{units.duration(summary.seconds)} of {units.duration(summary.wall_seconds)} wall time", "measured"),
        *(("predicted", words, "projected") for words in score_words(summary, prediction)),
        ("throughput", f"{units.si(rate)} examples/s, {units.si(flops, 'FLOP/s')}" if rate is not None else "", "measured"),
        ("phases", _split(summary), "measured"),
        ("loss", units.figure(summary.loss), "measured"),
        ("validation", figures_text(summary) if summary.validation_loss is not None else "", "measured"),
        ("subnormals", _subnormals(summary), "counted"),
        ("ended", f"{summary.ended.value} {summary.message}".rstrip(), ""),
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


def _split(summary: Summary) -> str:
    total = sum(seconds for _, seconds in summary.phase_seconds)
    return ", ".join(f"{phase} {units.percent(seconds / total, 0)}" for phase, seconds in summary.phase_seconds) if total else ""


def _subnormals(summary: Summary) -> str:
    if summary.flushed:
        return f"{summary.flushed:,} optimizer values flushed to 0"
    return f"{summary.subnormal:,} optimizer values are subnormal at the end" if summary.subnormal else ""
