"""`tuisim runs`: past runs, and the cost fit over them."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from tuisim.backends import names
from tuisim.cli.console import CommandConsole, print_lines
from tuisim.cli.options import Json
from tuisim.errors import ConfigError, ExitCode, Mistake, nearest, printable
from tuisim.features.runs.cost_fit import cost_fits, marks
from tuisim.features.runs.view import RunsState, fit_lines, no_runs, run_lines, skipped_words
from tuisim.predict.machine import called
from tuisim.provenance import Provenance
from tuisim.store import runs as store
from tuisim.terminal.lines import BLANK, UNLIMITED, Frame, Line, Tone, wrap

MAX_ROWS = 20
"""Runs of a fit that are printed; JSON has all."""
PIPED_WIDTH = 160
"""Columns without a terminal."""


def runs(
    *,
    backend: Annotated[str | None, Parameter(help="Only runs of this backend: numpy, or numpy@2 for two threads")] = None,
    json_: Json = False,
) -> int:
    """List past runs, and fit time = a + b·operations + c·bytes to them."""
    if backend is not None and (name := backend.partition("@")[0]) not in names():
        raise ConfigError([Mistake("backend", printable(backend), nearest(name, names()))])
    kept = store.read()
    fits = cost_fits([run for run in kept.runs if backend is None or backend in (run.backend, run.name)])
    if json_:
        document = {"fits": [fit.to_dict() for fit in fits], "skipped_lines": kept.skipped}
        document["marks"] = marks("fits[]") | {"skipped_lines": Provenance.COUNTED}
        print(json.dumps(document, allow_nan=False))
        return ExitCode.DONE
    console = CommandConsole(PIPED_WIDTH)
    lines: list[Line] = []
    for fit in fits:
        state = RunsState((fit,))
        lines += [((f"{printable(fit.backend)} on {called(fit.machine)}", Tone.STRONG),)]
        lines += [*fit_lines(state, Frame(console.width, UNLIMITED)), BLANK]
        newest = run_lines(state, Frame(console.width, UNLIMITED))[: 1 + MAX_ROWS]
        lines += [*newest, BLANK]
        if len(fit.listed) > MAX_ROWS:
            lines.append(((f"the newest {MAX_ROWS} of {len(fit.listed):,} runs; --json has all", Tone.DIM),))
    if not fits:
        others = ", ".join(sorted({printable(run.name) for run in kept.runs}))
        lines.append(((f"no runs on {printable(backend)} yet; there are some on {others}" if others else no_runs(), Tone.TEXT),))
    if any(fit.unknowns for fit in fits):
        words = (
            "ratio: measured over fitted time; overhead %, ops %, bytes %: shares of the overhead per step, the operations and "
            "the bytes in the fitted time. Times are measured, fit and ratio projected"
        )
        lines += wrap(words, console.width, Tone.DIM)
    if kept.skipped:
        lines.append(((f"note: {skipped_words(kept.skipped)}", Tone.TEXT),))
    print_lines(lines, console)
    return ExitCode.DONE
