"""What the facts of a CuPy probe mean: that it works, or in one line why it does not and what would cure that.

It knows how CuPy 14 and the CUDA runtime fail, by name; it asks nothing itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from tuisim.backends.gpu_probe import Facts
from tuisim.backends.probing import Probe
from tuisim.errors import printable, said

_FIRST_INSTALL = (
    "with an NVIDIA GPU: pip install 'tuisim[cuda13]' (driver 580 or newer) or 'tuisim[cuda12]' (525 or newer); "
    "cuda13-ctk and cuda12-ctk bring CUDA's libraries too"
)
"""Drivers as in NVIDIA's CUDA Compatibility, table 1."""
_DOING = {
    "start": "starting Python",
    "import": "importing CuPy",
    "driver": "asking the driver",
    "device": "opening the GPU",
    "kernel": "compiling and running a kernel",
    "product": "computing a matrix product",
    "memory": "asking for its memory",
}
_LIBRARY_SIGNS = ("nvrtc", "libcublas", "libcudart", "vector_types.h", "cuda_fp16.h", "cannot open shared object")


def judge(found: Facts) -> Probe:
    """The verdict on CuPy."""
    version = printable(found["version"], 20) if found.get("version") else None
    packages = [printable(name, 30) for name in found.get("packages") or ()]
    device = printable(found.get("device") or "", 60)
    if found.get("works") and len(packages) < 2:
        return Probe("cupy", True, version, device)
    reason, remedy = _why_not(found, packages)
    reason = reason.rstrip(".")
    return Probe("cupy", False, version if version or found.get("absent") else "", device, printable(reason, 200), remedy)


def cuda(version: object) -> str:
    """A CUDA version, 13010 as the runtime writes it, as people do: `13.1`; blank where it is not known."""
    return f"{version // 1000}.{version % 1000 // 10}" if isinstance(version, int) and version > 0 else ""


def _why_not(found: Facts, packages: Sequence[str]) -> tuple[str, str]:
    """Reason and remedy."""
    doing, install = _DOING.get(str(found.get("stage")), "at work"), _install(found)
    if "unstarted" in found:
        return f"no process could be started to ask: {found['unstarted']}", "see what keeps Python from starting programs"
    if found.get("absent"):
        return "not installed", _FIRST_INSTALL
    if len(packages) > 1:
        return f"two of its packages at once: {', '.join(packages)}", f"pip uninstall {' '.join(packages)}, then {install}"
    if "error" in found:
        return _raised(found, doing)
    if "hung" in found:
        return f"no answer within {found['hung']:g} s, {doing}", "see whether nvidia-smi answers; if not, restart the machine"
    if "flooded" in found:
        return f"wrote without end, {doing}", f"{install} again"
    if "signal" in found:
        return f"crashed ({found['signal']}), {doing}", f"renew the driver, or {install}"
    return f"ended without an answer (exit code {found.get('code')}), {doing}", f"{install} again"


def _raised(found: Facts, doing: str) -> tuple[str, str]:
    """What an error of CuPy's means."""
    kind, message, stage = str(found["error"]), str(found.get("message", "")), found.get("stage")
    words = said(message) or "it does not say why"
    if stage == "import" and kind in ("PermissionError", "FileNotFoundError", "OSError", "NotADirectoryError"):
        return f"cannot be imported: {words}", "set CUPY_CACHE_DIR to a folder that can be written to"
    if stage == "import":
        return f"cannot be imported: {words}", _install(found)
    if found.get("driver") == 0:
        return "no NVIDIA driver", "install NVIDIA's driver; nvidia-smi lists the GPU once it works"
    if "InsufficientDriver" in message:
        return _old_driver(found)
    if "NoDevice" in message or "InvalidDevice" in message:
        return "the driver shows no GPU", _what_hides()
    if "OutOfMemory" in kind or "MemoryAllocation" in message:
        return "the GPU has no memory left", "nvidia-smi shows which programs hold it"
    if stage in ("kernel", "product") and _lacks_library(kind, message):
        return f"CUDA's libraries are missing, {doing}: {words}", _install(found, libraries=True)
    return f"failed, {doing}: {words}", "take a driver and a CuPy made for each other"


def _old_driver(found: Facts) -> tuple[str, str]:
    driver, remedy = found.get("driver"), "renew the driver"
    here, wanted = (f"CUDA {cuda(found.get(key)) or 'of an unknown version'}" for key in ("driver", "runtime"))
    if isinstance(driver, int) and driver >= 12_000:
        remedy += f", or {_install(found)}"
    return f"the driver is made for {here}, CuPy for {wanted}", remedy


def _what_hides() -> str:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (
        "see whether nvidia-smi lists one"
        if hidden is None
        else f"unset CUDA_VISIBLE_DEVICES, which is {printable(hidden, 30)!r}"
    )


def _lacks_library(kind: str, message: str) -> bool:
    return kind in ("DynamicLibNotFoundError", "ImportError") or any(sign in message.lower() for sign in _LIBRARY_SIGNS)


def _install(found: Facts, libraries: bool = False) -> str:
    """The extra for this driver, or else of the package that is there; with CUDA's libraries where they are what lacks."""
    driver, packages = found.get("driver"), " ".join(map(str, found.get("packages") or ()))
    old = driver < 13_000 if isinstance(driver, int) and driver > 0 else "cuda12x" in packages
    return f"pip install 'tuisim[cuda{12 if old else 13}{'-ctk' if libraries else ''}]'"
