"""`tuisim doctor`: what this machine has, what of it tuisim can use, and what would cure what is missing."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from tuisim import units
from tuisim.backends import AUTO, Probe
from tuisim.cli.console import CommandConsole, styled
from tuisim.cli.options import Json
from tuisim.errors import visible
from tuisim.features.machine.doctor.doctor import Report, diagnose
from tuisim.features.machine.doctor.extras import Extra

PIPED_WIDTH = 160
"""Columns where no terminal has to hold them: nearly every line is whole."""
GOOD, BAD, ABSENT = "✓", "✗", "–"
_STYLES = {GOOD: "green", BAD: "bold red", ABSENT: "dim"}


class Line(NamedTuple):
    """One thing that was looked at."""

    name: str
    sign: str
    words: str
    remedy: str = ""


def doctor(*, json_: Json = False) -> int:
    """Say what this machine has, what of it tuisim can use, and what would cure what is missing."""
    report = diagnose(_talk)
    _talk("")
    if json_:
        print(json.dumps(report.to_dict()))
    else:
        _print(report, CommandConsole(PIPED_WIDTH))
    return 0


def _talk(what: str) -> None:
    """One line on stderr that is written over, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{visible(what)}", end="", file=sys.stderr, flush=True)


def _print(report: Report, console: Console) -> None:
    environment = report.environment
    console.print(styled("[bold]tuisim {}[/] on this machine, now · all numbers measured", environment["tuisim"]))
    sections = (
        ("", (*_machine(report), *_gpu(report))),
        ("backends", (*map(_backend, report.backends), _auto(report))),
        ("extras", tuple(_extras(report.extras))),
    )
    indent = max(len(line.name) for _, lines in sections for line in lines) + 1
    for title, lines in sections:
        console.print()
        if title:
            console.print(Text(title, "dim"))
        for line in lines:
            for row in _rows(line, indent, console.width):
                console.print(row, soft_wrap=True)


def _rows(line: Line, indent: int, width: int) -> Iterator[Text]:
    """Its name, its sign, and its words and remedy below each other, wrapped beside the name."""
    rows = textwrap.wrap(line.words, width - indent - 2) or [""]
    rows += textwrap.wrap(f"→ {line.remedy}", width - indent - 2) if line.remedy else []
    for number, words in enumerate(rows):
        first = number == 0
        yield Text.assemble(
            f"{line.name if first else '':<{indent}}", (f"{line.sign if first else ' '} ", _STYLES[line.sign]), words
        )


def _machine(report: Report) -> Iterator[Line]:
    environment, cpu = report.environment, report.processor
    yield Line("Python", GOOD, f"{environment['implementation']} {environment['python']} on {environment['platform']}")
    yield Line("processor", GOOD, f"{cpu.name}, " + (f"up to {cpu.instructions}" if cpu.instructions else cpu.architecture))
    yield Line("cores", GOOD, _cores(report))
    caches = ", ".join(f"{one.name} {units.size(one.size)}" + f" × {one.instances}" * (one.instances > 1) for one in cpu.caches)
    yield Line("caches", GOOD if caches else ABSENT, caches or "sizes not known: a profile has one memory roof, a large copy's")
    yield Line("memory", GOOD, _memory(report))
    yield from _numpy(report)
    for name, value in environment["variables"].items():
        yield Line("variable", ABSENT, f"{name}={value} is set")


def _cores(report: Report) -> str:
    cpu = report.processor
    words = f"{cpu.usable_cores} usable"
    if cpu.logical_cores:
        words += f" of {cpu.logical_cores}"
        if cpu.physical_cores:
            words += f" ({cpu.physical_cores} physical)"
        if cpu.usable_cores < cpu.logical_cores:
            words += "; this process's affinity leaves out the others"
    if cpu.quota is not None:
        words += f"; a container's quota gives {cpu.quota:g} at a time"
    return words


def _memory(report: Report) -> str:
    memory = report.memory
    parts = [f"{units.size(memory.available_bytes)} available" if memory.available_bytes is not None else ""]
    parts.append(f"{units.size(memory.total_bytes)} in all" if memory.total_bytes is not None else "")
    parts.append(f"a container's limit of {units.size(memory.limit_bytes)}" if memory.limit_bytes is not None else "")
    return ", ".join(filter(None, parts)) or "not known here"


def _numpy(report: Report) -> Iterator[Line]:
    found, blas = next(one for one in report.backends if one.name == "numpy"), report.blas
    if blas is None:
        yield Line("NumPy", BAD, found.reason, found.remedy)
        return
    if report.numpy_goes_without:
        remedy = f"unset {report.numpy_goes_without.partition('=')[0]}"
        yield Line("NumPy", BAD, f"{found.version}, held back by {report.numpy_goes_without}", remedy)
    else:
        yield Line("NumPy", GOOD, f"{found.version}")
    yield Line("BLAS", BAD if blas.below else GOOD, _blas(report), blas.remedy)
    if blas.threads is not None:
        yield Line("", GOOD, f"{units.counted(blas.threads, 'thread')} unless told otherwise")


def _blas(report: Report) -> str:
    blas, has = report.blas, report.processor.instructions
    assert blas is not None
    words = blas.library or "its library cannot be told"
    if blas.kernel:
        words += f", kernel {blas.kernel}" + (f" for {blas.instructions}" if blas.instructions else "")
    if blas.below and has:
        words += f", below the {has} that this processor has"
    elif blas.below is False:
        words += ", the most that this processor has"
    return words + (f"; chosen by {blas.cause}" if blas.cause else "")


def _gpu(report: Report) -> Iterator[Line]:
    driver, cupy = report.driver, report.cupy
    if driver.version is None:
        yield Line("GPU", ABSENT if driver.absent else BAD, driver.reason, driver.remedy)
    for device in driver.devices:
        memory = [f"{units.size(device.total_bytes)}" if device.total_bytes is not None else ""]
        memory.append(f"{units.size(device.free_bytes)} free" if device.free_bytes is not None else "")
        yield Line("GPU", GOOD, ", ".join(filter(None, (device.name, *memory, f"driver {driver.version}"))))
    found = cupy.probe
    if found.available:
        made = f" (CUDA {cupy.runtime_cuda})" if cupy.runtime_cuda else ""
        free = f", {units.size(cupy.free_bytes)} free" if cupy.free_bytes is not None else ""
        yield Line("CuPy", GOOD, f"{found.version}{made} works on {found.device}{free}")
    else:
        yield Line("CuPy", *_why_not(found))


def _backend(found: Probe) -> Line:
    if found.available:
        version = f" ({found.name} {found.version})" if found.version and found.version not in found.device else ""
        return Line(found.name, GOOD, f"works: {found.device}{version}")
    return Line(found.name, *_why_not(found))


def _auto(report: Report) -> Line:
    """What `--backend auto` would come to."""
    small, large = report.auto
    return Line(AUTO, GOOD, f"takes {small}" if small == large else f"takes {small} for small networks, {large} for large ones")


def _why_not(found: Probe) -> tuple[str, str, str]:
    if found.absent:
        return ABSENT, found.reason, found.remedy
    return BAD, f"{found.version or ''} does not work: {found.reason}".strip(), found.remedy


def _extras(extras: tuple[Extra, ...]) -> Iterator[Line]:
    if not extras:
        yield Line("", ABSENT, "not known: tuisim is not installed here, but run from its folder")
    for extra in extras:
        there = ", ".join(f"{package.name} {package.version}" for package in extra.packages if package.version is not None)
        if not extra.missing:
            yield Line(extra.name, GOOD, f"installed: {there}")
        else:
            lacks = f"lacks {', '.join(extra.missing)}"
            yield Line(extra.name, ABSENT, f"{lacks}; has {there}" if there else lacks)
    if any(extra.missing for extra in extras):
        yield Line("", ABSENT, "pip install 'tuisim[NAME]' brings what one lacks")
