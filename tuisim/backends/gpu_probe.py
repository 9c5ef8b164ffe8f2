"""The probe of CuPy: run `gpu_child.py` in a process with a time limit, and explain in one line what it found.

A driver that is missing, hangs or crashes affects that process only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

from tuisim.backends.registry import Probe
from tuisim.errors import printable, said

LIMIT_SECONDS = 30.0
"""The first use of a GPU may take some seconds: the driver wakes it and a kernel is compiled."""
MAX_BYTES = 1 << 16
"""Limit of the output that is read; a correct one has a few hundred bytes."""
_KILL_SECONDS = 2.0
"""Time for a killed process to end; one that waits inside a driver does not end and is abandoned."""
_DRAIN_SECONDS = 0.5
"""Time to read what an ended process has written: another process may keep its output open."""

Facts = Mapping[str, Any]
"""The report of the process and its end: `hung` (seconds), `flooded`, `signal` (name), `code` or `unstarted` (reason)."""


@cache
def facts() -> Facts:
    """Return the facts about CuPy here, found out once per process."""
    return ask()


def ask(command: Sequence[str] | None = None, limit: float = LIMIT_SECONDS) -> Facts:
    """Run the child, or another `command`, for at most `limit` seconds; never raises because of what it does."""
    try:
        if command is None:
            # The source, not the file: Python would first search the script's folder for modules, and it has one called `numpy`.
            source = Path(__file__).with_name("gpu_child.py").read_text(encoding="utf-8")
            command = [sys.executable or "python", "-P", "-c", source]
        # Compiled in memory: a kernel from CuPy's cache on disk would not show that compiling works.
        output, end = run(command, limit, os.environ | {"CUPY_CACHE_IN_MEMORY": "1"})
    except (OSError, ValueError) as error:
        return {"stage": "start", "unstarted": str(error)}
    found: dict[str, Any] = {"stage": "start"}
    for line in output.splitlines():
        found |= parse_line(line)
    return found | end


def parse_line(line: str) -> dict[str, Any]:
    """Return the facts of one line of output; empty if it is anything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    scalars = {name: value for name, value in found.items() if name != "packages" and isinstance(value, str | int | float | None)}
    packages = found.get("packages")
    is_list = isinstance(packages, list) and all(isinstance(one, str) for one in packages)
    return scalars | ({"packages": packages} if is_list else {})


# ── the process ──


def run(command: Sequence[str], seconds: float, env: Mapping[str, str] | None = None) -> tuple[str, dict[str, Any]]:
    """Run `command` for at most `seconds`; return its output (at most MAX_BYTES) and how it ended, as in `Facts`.

    Raises OSError or ValueError if it cannot be started.
    """
    process = subprocess.Popen(  # noqa: S603
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=None if env is None else dict(env),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    output, flooded = bytearray(), False

    def read() -> None:
        nonlocal flooded
        assert process.stdout is not None
        with process.stdout as stream:
            while len(output) <= MAX_BYTES:
                if not (piece := os.read(stream.fileno(), MAX_BYTES)):
                    return
                output.extend(piece)
            flooded = True
            process.kill()

    reader = Thread(target=read, name="tuisim-gpu-probe", daemon=True)
    try:
        reader.start()
        try:
            end: dict[str, Any] = {"code": process.wait(seconds)}
        except subprocess.TimeoutExpired:
            _kill(process)
            end = {"hung": seconds}
        reader.join(_DRAIN_SECONDS)
    except BaseException as error:
        _kill(process)
        if isinstance(error, RuntimeError):  # Python raises it where no thread can be started
            raise OSError("no thread can be started") from None
        raise
    if flooded:
        end = {"flooded": True}
    elif end.get("code", 0) < 0:
        with suppress(ValueError):  # a real-time signal has no name
            end = {"signal": signal.Signals(-end["code"]).name}
    return bytes(output[:MAX_BYTES]).decode(errors="replace"), end


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    try:
        process.wait(_KILL_SECONDS)
    except subprocess.TimeoutExpired:
        process.returncode = -signal.SIGTERM  # else Python would wait for it at exit


# ── what the facts mean, for CuPy 14 and the CUDA runtime ──

_FIRST_INSTALL = (
    "with an NVIDIA GPU: pip install 'tuisim[cuda13]' (driver 580 or newer) or 'tuisim[cuda12]' (525 or newer); "
    "cuda13-ctk and cuda12-ctk include the CUDA libraries"
)
"""Drivers as in NVIDIA's CUDA Compatibility, table 1."""
_STAGES = {
    "start": "while starting Python",
    "import": "while importing CuPy",
    "driver": "while querying the driver",
    "device": "while opening the GPU",
    "kernel": "while compiling and running a kernel",
    "product": "while computing a matrix product",
    "memory": "while querying its memory",
}
_LIBRARY_SIGNS = ("nvrtc", "libcublas", "libcudart", "vector_types.h", "cuda_fp16.h", "cannot open shared object")


def judge(found: Facts) -> Probe:
    """Return the probe of CuPy that follows from these facts."""
    version = printable(found["version"], 20) if found.get("version") else None
    packages = [printable(name, 30) for name in found.get("packages") or ()]
    device = printable(found.get("device") or "", 60)
    if found.get("works") and len(packages) < 2:
        return Probe("cupy", True, version, device)
    reason, remedy = _explain(found, packages)
    return Probe(
        "cupy", False, version if version or found.get("absent") else "", device, printable(reason.rstrip("."), 200), remedy
    )


def cuda_version(number: object) -> str:
    """Format a CUDA version number of the runtime: 13010 as `13.1`; empty if it is unknown."""
    return f"{number // 1000}.{number % 1000 // 10}" if isinstance(number, int) and number > 0 else ""


def _explain(found: Facts, packages: Sequence[str]) -> tuple[str, str]:
    """Return reason and remedy."""
    stage, install = _STAGES.get(str(found.get("stage")), "at an unknown stage"), _install(found)
    if "unstarted" in found:
        return (
            f"the probe process could not be started: {found['unstarted']}",
            "find out what keeps Python from starting programs",
        )
    if found.get("absent"):
        return "not installed", _FIRST_INSTALL
    if len(packages) > 1:
        return (
            f"several of its packages are installed: {', '.join(packages)}",
            f"pip uninstall {' '.join(packages)}, then {install}",
        )
    if "error" in found:
        return _explain_error(found, stage)
    if "hung" in found:
        return f"no answer within {found['hung']:g} s {stage}", "check if nvidia-smi answers; if not, restart the machine"
    if "flooded" in found:
        return f"too much output {stage}", f"{install} again"
    if "signal" in found:
        return f"crashed ({found['signal']}) {stage}", f"update the driver, or {install}"
    return f"ended without an answer (exit code {found.get('code')}) {stage}", f"{install} again"


def _explain_error(found: Facts, stage: str) -> tuple[str, str]:
    """Return reason and remedy of an exception raised by CuPy."""
    kind, message, at = str(found["error"]), str(found.get("message", "")), found.get("stage")
    words = said(message) or "no reason given"
    if at == "import" and kind in ("PermissionError", "FileNotFoundError", "OSError", "NotADirectoryError"):
        return f"cannot be imported: {words}", "set CUPY_CACHE_DIR to a folder that can be written to"
    if at == "import":
        return f"cannot be imported: {words}", _install(found)
    if found.get("driver") == 0:
        return "no NVIDIA driver", "install NVIDIA's driver; nvidia-smi lists the GPU once it works"
    if "InsufficientDriver" in message:
        supported, needed = (f"CUDA {cuda_version(found.get(key)) or 'of an unknown version'}" for key in ("driver", "runtime"))
        driver = found.get("driver")
        older = f", or {_install(found)}" if isinstance(driver, int) and driver >= 12_000 else ""
        return f"the driver supports {supported}, CuPy needs {needed}", f"update the driver{older}"
    if "NoDevice" in message or "InvalidDevice" in message:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        unset = f"unset CUDA_VISIBLE_DEVICES, which is {printable(hidden or '', 30)!r}"
        return "the driver shows no GPU", "check if nvidia-smi lists one" if hidden is None else unset
    if "OutOfMemory" in kind or "MemoryAllocation" in message:
        return "the GPU has no memory left", "nvidia-smi shows which programs use it"
    missing = kind in ("DynamicLibNotFoundError", "ImportError") or any(sign in message.lower() for sign in _LIBRARY_SIGNS)
    if at in ("kernel", "product") and missing:
        return f"CUDA libraries are missing {stage}: {words}", _install(found, libraries=True)
    return f"failed {stage}: {words}", "install a driver and a CuPy that match"


def _install(found: Facts, libraries: bool = False) -> str:
    """Return the command that installs the extra for this driver or, if it is unknown, for the installed package."""
    driver, packages = found.get("driver"), " ".join(map(str, found.get("packages") or ()))
    old = driver < 13_000 if isinstance(driver, int) and driver > 0 else "cuda12x" in packages
    return f"pip install 'tuisim[cuda{12 if old else 13}{'-ctk' if libraries else ''}]'"
