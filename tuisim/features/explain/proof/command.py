"""`tuisim prove`: the count, the gradient and the backend of a network, each checked against something independent."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from tuisim import units
from tuisim.cli.console import CommandConsole, styled
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.cli.progress import ProgressLine
from tuisim.errors import ExitCode
from tuisim.features.explain.proof.backend import BackendCheck
from tuisim.features.explain.proof.count import BatchCount, CountCheck
from tuisim.features.explain.proof.gradient import GradientCheck
from tuisim.features.explain.proof.proof import Check, Progress, Proof
from tuisim.features.explain.proof.proof import prove as run_proof
from tuisim.units import layers_text

MOST_WRONG = 20
"""Differing cells shown; all are in the JSON document."""


def prove(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    force: Annotated[bool, Parameter(negative="", help="However long plain Python may take")] = False,
    json_: Json = False,
) -> int:
    """Check a network's count, gradient and backend against plain Python and central differences."""
    with ProgressLine() as line:
        proof = run_proof(resolve(layers, options, config), force=force, tell=lambda progress: line.show(_progress(progress)))
    if json_:
        print(json.dumps(proof.to_dict()))
    else:
        _print(proof, CommandConsole())
    return ExitCode.DONE if proof.passed else ExitCode.CHECK_FAILED


def _progress(progress: Progress) -> str:
    scalar = f"about {units.duration(progress.scalar_seconds)} of plain Python in all, projected"
    return f"{progress.check}: {progress.done:,} of {progress.of:,} ({scalar})"


def _print(proof: Proof, console: Console) -> None:
    config = proof.config
    console.print(
        styled(
            "[bold]{}[/] · {} · {} · {} · {} parameters",
            layers_text(config.layers),
            config.loss,
            config.optimizer,
            config.dtype,
            f"{config.parameter_count:,}",
        ),
        soft_wrap=True,
    )
    for check in proof.checks:
        if isinstance(check, CountCheck):
            for batch in check.batches:
                console.print()
                console.print(_cells(batch))
                console.print(_zeros(batch), style="dim", soft_wrap=True)
            _wrong(check, console)
    console.print()
    for check in proof.checks:
        console.print(styled(_verdict(check.passed) + "  {} {}", f"{check.name:<9}", _words(check)), soft_wrap=True)
    failed = ", ".join(check.name for check in proof.checks if not check.passed)
    result = "[bold green]✓ proved{}[/]" if proof.passed else "[bold red]✗ not proved: {}[/]"
    console.print()
    console.print(styled(result + " in {} (measured)", failed, units.duration(proof.seconds)), soft_wrap=True)


def _verdict(passed: bool) -> str:
    return "[green]✓ passed[/]" if passed else "[bold red]✗ failed[/]"


def _cells(batch: BatchCount) -> Table:
    table = Table(
        title=f"one step of {units.count(batch.batch)} examples, the loss included",
        title_justify="left", title_style="", box=None, pad_edge=False, header_style="dim",
    )  # fmt: skip
    for heading, right in (
        ("phase", False),
        ("operation", False),
        ("ledger, counted", True),
        ("", False),
        ("tally, measured", True),
    ):
        table.add_column(heading, justify="right" if right else "left", no_wrap=True)
    table.add_column("", no_wrap=True)
    before = ""
    for cell in batch.cells:
        if cell.ledger or cell.tally:
            phase = "" if cell.phase.value == before else cell.phase.value
            before = cell.phase.value
            sign, verdict = ("=", "[green]✓ equal[/]") if cell.passed else ("≠", "[bold red]✗ differs[/]")
            table.add_row(phase, cell.kind, units.count(cell.ledger), sign, units.count(cell.tally), styled(verdict))
    return table


def _zeros(batch: BatchCount) -> str:
    zeros = sum(not (cell.ledger or cell.tally) for cell in batch.cells)
    right = sum(row.passed for row in batch.operations)
    return f"and {zeros} cells with 0 = 0; {right} of {len(batch.operations)} single operations agree in every kind"


def _wrong(check: CountCheck, console: Console) -> None:
    for batch, cell in check.wrong[:MOST_WRONG]:
        console.print(styled("[bold red]✗ differs[/]  batch {}, {}", units.count(batch), cell.words), soft_wrap=True)
    if len(check.wrong) > MOST_WRONG:
        console.print(f"and {len(check.wrong) - MOST_WRONG:,} more")


def _words(check: Check) -> str:
    if isinstance(check, CountCheck):
        steps = " and of ".join(units.count(one.batch) for one in check.batches)
        tail = "every tally is the ledger's" if check.passed else f"worst {check.worst:,}: {check.where}"
        return f"{check.compared:,} cells compared over steps of {steps} examples: {tail}"
    if isinstance(check, GradientCheck):
        return _gradient_words(check)
    return _backend_words(check)


def _gradient_words(check: GradientCheck) -> str:
    which = "every parameter" if check.every else f"{check.checked:,} drawn from all layers of {check.parameters:,} parameters"
    corners = f", {check.corners:,} at a corner and not judged" if check.corners else ""
    if check.worst is None:
        return f"{which}{corners}: {check.where}"
    return (
        f"{which} against central differences (NumPy, float64){corners}: worst relative error "
        f"{units.figure(check.worst, 2)} at {check.where}, {units.figure(check.analytic, 6)} against "
        f"{units.figure(check.difference, 6)}; allowed {units.figure(check.tolerance, 2)}"
    )


def _backend_words(check: BackendCheck) -> str:
    explained = f"{check.dtype}'s rounding explains up to {units.figure(check.tolerance, 2) or 'nothing'}"
    return (
        f"{check.backend} {check.dtype} beside scalar in float64, {check.steps:,} steps from the same start: largest parameter "
        f"difference {units.figure(check.worst, 2) or 'not finite'} at {check.where}; {explained}. Losses differ by at most "
        f"{units.figure(check.worst_loss, 2) or 'not finite'}, explained up to {units.figure(check.loss_tolerance, 2)}"
    )
