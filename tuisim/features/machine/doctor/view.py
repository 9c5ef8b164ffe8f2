"""The lines of the doctor's report."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from tuisim import units
from tuisim.backends import AUTO, Probe
from tuisim.features.machine.doctor.doctor import BlasReport, DoctorReport, Extra
from tuisim.terminal.lines import BLANK, Line, Tone

GOOD, BAD, ABSENT = "✓", "✗", "–"
_TONES = {GOOD: Tone.GOOD, BAD: Tone.BAD, ABSENT: Tone.DIM}


class Finding(NamedTuple):
    """One thing that was checked."""

    name: str
    sign: str
    words: str
    remedy: str = ""


def lines(report: DoctorReport, width: int) -> list[Line]:
    """Return the report in `width` columns."""
    title = (f"tuisim {report.environment['tuisim']}", Tone.STRONG), (" on this machine, now · all numbers measured", Tone.TEXT)
    small, large = report.auto
    auto = f"selects {small}" if small == large else f"selects {small} for small networks, {large} for large ones"
    sections = (
        ("", (*_machine(report), *_numpy(report), *_gpu(report))),
        ("backends", (*map(_backend, report.backends), Finding(AUTO, GOOD, auto))),
        ("extras", tuple(_extras(report.extras))),
    )
    indent = max(len(finding.name) for _, findings in sections for finding in findings) + 1
    found: list[Line] = [title]
    for heading, findings in sections:
        found += [BLANK, ((heading, Tone.DIM),)] if heading else [BLANK]
        for finding in findings:
            found += _rows(finding, indent, width)
    return found


def _rows(finding: Finding, indent: int, width: int) -> Iterator[Line]:
    """Yield name and sign, and beside them words and remedy, wrapped."""
    rows = textwrap.wrap(finding.words, width - indent - 2) or [""]
    rows += textwrap.wrap(f"→ {finding.remedy}", width - indent - 2) if finding.remedy else []
    for number, words in enumerate(rows):
        name, sign = (finding.name, finding.sign) if number == 0 else ("", " ")
        yield (f"{name:<{indent}}", Tone.TEXT), (f"{sign} ", _TONES[finding.sign]), (words, Tone.TEXT)


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _size(size: int | None, words: str) -> str:
    """Format bytes by `words`, empty if unknown."""
    return "" if size is None else words.format(units.size(size))


def _machine(report: DoctorReport) -> Iterator[Finding]:
    environment, cpu, memory = report.environment, report.processor, report.memory
    yield Finding("Python", GOOD, f"{environment['implementation']} {environment['python']} on {environment['platform']}")
    yield Finding("processor", GOOD, f"{cpu.name}, " + (f"up to {cpu.instructions}" if cpu.instructions else cpu.architecture))
    yield Finding("cores", GOOD, _cores(report))
    caches = ", ".join(f"{one.name} {units.size(one.size)}" + f" × {one.instances}" * (one.instances > 1) for one in cpu.caches)
    unknown = "sizes not known: a profile has one memory roof, by a large copy"
    yield Finding("caches", GOOD if caches else ABSENT, caches or unknown)
    available, total = _size(memory.available_bytes, "{} available"), _size(memory.total_bytes, "{} in total")
    limit = _size(memory.limit_bytes, "container limit {}")
    yield Finding("memory", GOOD, _joined(available, total, limit) or "not known here")


def _cores(report: DoctorReport) -> str:
    cpu = report.processor
    words = f"{cpu.usable_cores} usable"
    if cpu.logical_cores:
        words += f" of {cpu.logical_cores}"
        if cpu.physical_cores:
            words += f" ({cpu.physical_cores} physical)"
        if cpu.usable_cores < cpu.logical_cores:
            words += "; the affinity of this process excludes the others"
    if cpu.quota is not None:
        words += f"; container quota {cpu.quota:g} at a time"
    return words


def _numpy(report: DoctorReport) -> Iterator[Finding]:
    found, blas = next(one for one in report.backends if one.name == "numpy"), report.blas
    if blas is None:
        yield Finding("NumPy", BAD, found.reason, found.remedy)
    else:
        if setting := report.numpy_goes_without:
            yield Finding("NumPy", BAD, f"{found.version}, slowed by {setting}", f"unset {setting.partition('=')[0]}")
        else:
            yield Finding("NumPy", GOOD, f"{found.version}")
        yield Finding("BLAS", BAD if blas.below else GOOD, _blas(blas, report.processor.instructions), blas.remedy)
        if blas.threads is not None:
            yield Finding("", GOOD, f"{units.counted(blas.threads, 'thread')} by default")
    for name, value in report.environment["variables"].items():
        yield Finding("variable", ABSENT, f"{name}={value} is set")


def _blas(blas: BlasReport, supported: str | None) -> str:
    words = blas.library or "unknown library"
    if blas.kernel:
        words += f", kernel {blas.kernel}" + (f" for {blas.instructions}" if blas.instructions else "")
    if blas.below and supported:
        words += f", below the {supported} that this processor supports"
    elif blas.below is False:
        words += ", the best that this processor supports"
    return words + (f"; selected by {blas.cause}" if blas.cause else "")


def _gpu(report: DoctorReport) -> Iterator[Finding]:
    driver, cupy = report.driver, report.cupy
    if driver.version is None:
        yield Finding("GPU", ABSENT if driver.absent else BAD, driver.reason, driver.remedy)
    for device in driver.devices:
        memory = _size(device.total_bytes, "{}"), _size(device.free_bytes, "{} free")
        yield Finding("GPU", GOOD, _joined(device.name, *memory, f"driver {driver.version}"))
    found = cupy.probe
    if found.available:
        cuda = f" (CUDA {cupy.runtime_cuda})" if cupy.runtime_cuda else ""
        yield Finding("CuPy", GOOD, f"{found.version}{cuda} works on {found.device}{_size(cupy.free_bytes, ', {} free')}")
    else:
        yield _unavailable("CuPy", found)


def _backend(found: Probe) -> Finding:
    if found.available:
        version = f" ({found.name} {found.version})" if found.version and found.version not in found.device else ""
        return Finding(found.name, GOOD, f"works: {found.device}{version}")
    return _unavailable(found.name, found)


def _unavailable(name: str, found: Probe) -> Finding:
    if found.absent:
        return Finding(name, ABSENT, found.reason, found.remedy)
    return Finding(name, BAD, f"{found.version or ''} does not work: {found.reason}".strip(), found.remedy)


def _extras(extras: tuple[Extra, ...]) -> Iterator[Finding]:
    if not extras:
        yield Finding("", ABSENT, "not known: tuisim is not installed, but run from its folder")
    for extra in extras:
        there = ", ".join(f"{package.name} {package.version}" for package in extra.packages if package.version is not None)
        if not extra.missing:
            yield Finding(extra.name, GOOD, f"installed: {there}")
        else:
            missing = f"missing: {', '.join(extra.missing)}"
            yield Finding(extra.name, ABSENT, f"{missing}; installed: {there}" if there else missing)
    if any(extra.missing for extra in extras):
        yield Finding("", ABSENT, "pip install 'tuisim[NAME]' installs what is missing")
