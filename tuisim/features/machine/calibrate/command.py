"""`tuisim calibrate`: measure the operations of a step on this machine, and keep its machine profile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tuisim import units
from tuisim.backends import computes_with, get_backend, names, probe
from tuisim.cli.console import ProgressLine, line, note, print_result
from tuisim.cli.options import Json
from tuisim.config.choices import DTYPES, MAX_THREADS
from tuisim.errors import ConfigError, ExitCode, Mistake, nearest, printable
from tuisim.features.machine.calibrate.figures import PRODUCTS, element_costs, product_rate
from tuisim.predict import profiles
from tuisim.predict.calibrate import calibrate as measure
from tuisim.predict.profile import MachineProfile, ProfileKey
from tuisim.provenance import Provenance
from tuisim.terminal.lines import BLANK, Frame, Line, Tone
from tuisim.terminal.table import text_table
from tuisim.threads import default_threads

FULL_WIDTH = 116
"""Columns if there is no terminal."""


def calibrate(
    *,
    backends: Annotated[str | None, Parameter(help="Backends, separated by commas (default: all available)")] = None,
    threads: Annotated[str | None, Parameter(help="Thread counts, separated by commas (default: by the free cores)")] = None,
    dtypes: Annotated[str | None, Parameter(help="float32, float64 or both, with a comma (default: float32)")] = None,
    quick: Annotated[bool, Parameter(negative="", help="Measure half as many networks: faster, less accurate")] = False,
    export: Annotated[str | None, Parameter(help="Write a copy of the machine profile to this file; measure nothing")] = None,
    import_: Annotated[
        str | None, Parameter(name="--import", help="Import another machine's profile from this file; measure nothing")
    ] = None,
    name: Annotated[str | None, Parameter(help="Name of the imported profile")] = None,
    json_: Json = False,
) -> int:
    """Measure the operations of a step on this machine, once: some seconds per backend."""
    measuring = {"backends": backends, "threads": threads, "dtypes": dtypes, "quick": quick or None}
    _check_options(measuring, export, import_, name)
    if import_ is not None:
        path = profiles.take(Path(import_), Path(import_).stem if name is None else name)
        words = f"kept as {printable(path.stem)}: tuisim predict LAYERS --as {printable(path.stem)}"
        line(json.dumps({"imported": path.stem, "path": str(path)}) if json_ else words)
        return ExitCode.DONE
    if export is not None:
        profiles.export(Path(export))
        line(json.dumps({"exported": export}) if json_ else f"written: {printable(export, 500)}")
        return ExitCode.DONE
    keys = _keys(backends, threads, "float32" if dtypes is None else dtypes)
    for key in keys:
        get_backend(key.backend)  # which says why it cannot work here, before anything is measured
    profiles.check_keeping()
    found = profiles.own()
    if found.trouble:
        note(found.trouble)
    profile = found.profile
    with ProgressLine() as progress:

        def tell(key: ProfileKey, done: int, of: int) -> None:
            progress.show(f"measuring {key.key}: {done} of {of} networks")

        for key in keys:  # each is kept as it is made: an interrupted calibration keeps the others
            kept = profiles.keep(measure([key], profile, tell, quick=quick, of=len(keys)))
            profile = kept.profile

    def page(frame: Frame) -> list[Line]:
        saved: Line = ((f"saved to {printable(str(kept.path), 500)}", Tone.TEXT),)
        return [*_lines(kept.profile, {key.key for key in keys}, frame.width), saved]

    print_result(json_, kept.profile.document, page, FULL_WIDTH)
    return ExitCode.DONE


def _check_options(measuring: Mapping[str, object], export: str | None, import_: str | None, name: str | None) -> None:
    """Raise ConfigError for options that would do nothing; None if not given."""
    mistakes = []
    if import_ is not None and export is not None:
        mistakes.append(Mistake("export", export, "give either --export or --import"))
    if name is not None and import_ is None:
        mistakes.append(Mistake("name", name, "only with --import"))
    if import_ is not None or export is not None:
        why = "not with --export or --import: nothing is measured"
        mistakes += [Mistake(field, value, why) for field, value in measuring.items() if value is not None]
    if mistakes:
        raise ConfigError(mistakes)


def _keys(backends: str | None, threads: str | None, dtypes: str) -> list[ProfileKey]:
    """Return the entries to measure. Raises ConfigError with every mistake at once."""
    mistakes: list[Mistake] = []
    asked = [name for name in names() if probe(name).available] if backends is None else _parts(backends)
    mistakes += [Mistake("backends", name, nearest(name, names())) for name in asked if name not in names()]
    kinds = _parts(dtypes)
    mistakes += [Mistake("dtypes", kind, nearest(kind, DTYPES)) for kind in kinds if kind not in DTYPES]
    counts = [str(default_threads())] if threads is None else _parts(threads)
    for text in counts:
        if not (text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MAX_THREADS):
            mistakes.append(Mistake("threads", text, f"a thread count from 1 to {MAX_THREADS}"))
    for field, given in (("backends", asked), ("dtypes", kinds), ("threads", counts)):
        if not given:
            mistakes.append(Mistake(field, "", "name at least one"))
    if mistakes:
        raise ConfigError(mistakes)
    asked_for = product(asked, kinds, counts)
    return list(dict.fromkeys(ProfileKey(name, *computes_with(name, int(count), dtype)) for name, dtype, count in asked_for))


def _parts(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _lines(profile: MachineProfile, keys: set[str], width: int) -> list[Line]:
    """Return the peaks, call overheads and product rates of the entries with these keys."""
    entries = [entry for entry in profile.entries if entry.key in keys]
    rates = [
        (one.key, units.si(one.peak_bytes, "B/s"), units.si(one.best_rate, "op/s"), units.si(one.peak_flops, "op/s"))
        for one in entries
    ]
    costs = [(one.key, *map(units.duration, element_costs(one))) for one in entries]
    products = [(one.key, *(units.si(product_rate(one, *sizes)) for sizes in PRODUCTS.values())) for one in entries]
    tables = (
        ((Provenance.MEASURED, "copy", "best step", "peak"), rates),
        ((Provenance.PROJECTED, "call overhead", "relu, in cache", "from memory", "SGD, in cache", "from memory"), costs),
        ((f"{Provenance.PROJECTED}: product B·N·M, op/s", *PRODUCTS), products),
    )
    lines: list[Line] = [((str(profile.machine), Tone.STRONG), (f" · {profile.machine.cores} usable cores", Tone.TEXT))]
    for heads, rows in tables:
        lines += [*text_table(heads, rows, width), BLANK]
    for entry in entries:
        errors = sorted(abs(error) for error in entry.prices.errors)
        words = (
            f"{entry.key}: {entry.networks} networks; cross-validated error of a step: median "
            f"{units.percent(errors[len(errors) // 2], 0)}, 90th percentile "
            f"{units.percent(errors[round(0.9 * (len(errors) - 1))], 0)}"
        )
        lines.append(((words, Tone.DIM),))
    return lines
