"""The doctor: the report of this machine, and of machines where something is missing, limited or broken."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tuisim.backends import Probe, names, registry
from tuisim.backends.numpy.blas import Blas
from tuisim.cli.console import CommandConsole, print_lines
from tuisim.features.machine.doctor import command
from tuisim.features.machine.doctor import doctor as reports
from tuisim.features.machine.doctor import gpu as doctor_gpu
from tuisim.features.machine.doctor.doctor import CupyReport, DoctorReport, Extra, Package, diagnose, judge
from tuisim.features.machine.doctor.gpu import GpuDriver, GpuInfo
from tuisim.features.machine.doctor.view import lines
from tuisim.measure import processor as processors
from tuisim.measure.caches import Cache
from tuisim.measure.processor import LEVELS, MainMemory, level


@pytest.fixture(scope="module")
def report() -> DoctorReport:
    return diagnose()


def shown(report: DoctorReport, width: int = 80) -> str:
    """Return what the command prints."""
    console = CommandConsole(width=width, color_system=None)
    with console.capture() as captured:
        print_lines(lines(report, width), console)
    return captured.get()


# ── as a process ──


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tuisim", "doctor", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_prints_a_report_and_exits_with_0():
    result = run()
    assert (result.returncode, result.stderr) == (0, "")
    for words in ("Python", "BLAS", "cores", "memory", "GPU", "CuPy", "backends", "extras", "all numbers measured"):
        assert words in result.stdout
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


def test_the_document_has_the_promised_keys():
    result = run("--json")
    assert (result.returncode, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert {"backends", "blas", "cpu", "gpu", "environment", "memory", "extras", "marks"} <= set(document)
    assert [one["name"] for one in document["backends"]] == list(names())
    for one in document["backends"]:
        assert set(one) == {"name", "available", "version", "device", "reason", "remedy"}
        assert one["available"] or one["reason"]
    assert document["gpu"]["cupy"]["name"] == "cupy"
    assert document["cpu"]["usable_cores"] >= 1
    assert document["environment"]["python"] == ".".join(map(str, sys.version_info[:3]))


def test_it_works_with_numpy_and_the_standard_library_alone():
    code = """
import sys
for name in ("psutil", "threadpoolctl", "numba", "cupy", "rich", "textual", "cyclopts"):
    sys.modules[name] = None
from tuisim.features.machine.doctor.doctor import diagnose
document = diagnose().to_dict()
assert document["cpu"]["usable_cores"] >= 1
assert document["blas"]["kernel"] is None and document["blas"]["below"] is None
print([one["name"] for one in document["backends"] if one["available"]])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout.strip() == "['numpy', 'scalar']", result.stderr


# ── in words ──


@pytest.mark.parametrize("width", [60, 80, 160])
def test_every_line_fits_the_width(report, width):
    lines = shown(report, width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum(line.count("✓") + line.count("✗") + line.count("–") for line in lines) >= 12


def test_a_broken_backend_is_shown_with_its_remedy(report):
    broken = Probe(
        "numba", False, "0.61", "", "cannot be imported: Numba needs NumPy 2.3 or less.", "pip install --upgrade numba"
    )
    absent = Probe("numba", False, None, "", "not installed", "pip install 'tuisim[numba]'")
    text = shown(replace(report, backends=(*report.backends[:2], broken)), 120)
    assert "✗ 0.61 does not work: cannot be imported: Numba needs NumPy 2.3 or less." in text
    assert "→ pip install --upgrade numba" in text
    text = shown(replace(report, backends=(*report.backends[:2], absent), auto=("numpy", "numpy")), 120)
    assert "auto       ✓ selects numpy\n" in text
    assert "numba      – not installed" in text
    assert "→ pip install 'tuisim[numba]'" in text


def test_a_gpu_that_works_is_shown(report):
    driver = GpuDriver("580.65.06", (GpuInfo("NVIDIA H200", 140 << 30, 139 << 30),))
    cupy = CupyReport(Probe("cupy", True, "14.2.0", "NVIDIA H200"), "13.1", "13.0", 140 << 30, 139 << 30)
    found = replace(report, driver=driver, cupy=cupy, backends=(*report.backends[:2], cupy.probe), auto=("numba", "cupy"))
    text = shown(found, 160)
    assert "GPU        ✓ NVIDIA H200, 140 GiB, 139 GiB free, driver 580.65.06" in text
    assert "CuPy       ✓ 14.2.0 (CUDA 13.0) works on NVIDIA H200, 139 GiB free" in text
    assert "cupy       ✓ works: NVIDIA H200 (cupy 14.2.0)" in text
    assert "auto       ✓ selects numba for small networks, cupy for large ones" in text
    assert found.to_dict()["gpu"]["devices"] == [{"name": "NVIDIA H200", "total_bytes": 140 << 30, "free_bytes": 139 << 30}]


def test_the_report_is_made_without_a_working_numpy(monkeypatch):
    monkeypatch.setattr(registry, "_found", {"numpy": Probe("numpy", False, "2.9", "", "cannot be imported: x", "pip install y")})
    found = diagnose()
    assert found.blas is None
    assert json.loads(json.dumps(found.to_dict()))["blas"] is None
    assert "NumPy      ✗ cannot be imported: x" in shown(found)


def test_limits_of_a_container_are_shown(report):
    processor = replace(report.processor, logical_cores=8, usable_cores=2, physical_cores=4, quota=1.5)
    text = shown(replace(report, processor=processor, memory=MainMemory(8 << 30, 3 << 30, 2 << 30)), 160)
    assert "2 usable of 8 (4 physical); the affinity of this process excludes the others; container quota 1.5" in text
    assert "3.0 GiB available, 8.0 GiB in total, container limit 2.0 GiB" in text
    unknown = replace(report.processor, logical_cores=None, physical_cores=None, quota=None, instructions=None)
    text = shown(replace(report, processor=unknown, memory=MainMemory(None, None, None)))
    assert "not known here" in text
    assert "None" not in text


# ── the kernel ──


@pytest.mark.parametrize(
    ("kernel", "has", "below"),
    [
        ("SkylakeX", "AVX-512", False),
        ("Cooperlake", "AVX-512", False),
        ("Haswell", "AVX-512", True),
        ("Zen", "AVX2", False),
        ("Sandybridge", "AVX2", True),
        ("Prescott", "SSE4.2", True),
        ("neoversen1", "AVX2", None),
        ("Haswell", None, None),
        (None, "AVX2", None),
    ],
)
def test_a_kernel_is_compared_with_the_processor_if_both_are_known(kernel, has, below):
    assert judge(Blas("OpenBLAS 0.3.31", kernel, None), has).below is below


def test_the_cause_is_the_variable_that_this_library_reads(monkeypatch, report):
    for name in ("OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS", "BLIS_ARCH_TYPE"):
        monkeypatch.delenv(name, raising=False)
    by_itself = judge(Blas("OpenBLAS 0.3.31", "Haswell", None), "AVX-512")
    assert by_itself.cause is None
    assert "by itself" in by_itself.remedy
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2")
    caused = judge(Blas("OpenBLAS 0.3.31", "Haswell", None), "AVX-512", 2)
    assert (caused.cause, caused.remedy) == ("OPENBLAS_CORETYPE=Haswell", "unset OPENBLAS_CORETYPE")
    assert judge(Blas("MKL 2024", None, None), "AVX-512").cause == "MKL_ENABLE_INSTRUCTIONS=AVX2"
    text = shown(replace(report, blas=caused), 160)
    assert "✗ OpenBLAS 0.3.31, kernel Haswell for AVX2, below the" in text
    assert "selected by OPENBLAS_CORETYPE=Haswell" in text
    assert "→ unset OPENBLAS_CORETYPE" in text


def test_a_variable_that_selects_a_slower_kernel_is_found():
    if processors.processor().instructions not in ("AVX2", "AVX-512"):
        pytest.skip("no processor with AVX2, so none to hold back")
    code = "import json, tuisim.features.machine.doctor.doctor as d; print(json.dumps(d.diagnose().to_dict()))"
    environment = os.environ | {"OPENBLAS_CORETYPE": "Sandybridge", "NPY_DISABLE_CPU_FEATURES": "AVX2"}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    document = json.loads(result.stdout)
    if not (document["blas"]["library"] or "").startswith("OpenBLAS") or document["blas"]["kernel"] is None:
        pytest.skip("NumPy's BLAS here is not an OpenBLAS that names its kernel")
    assert document["blas"]["kernel"] == "Sandybridge"
    assert document["blas"]["below"] is True
    assert document["blas"]["cause"] == "OPENBLAS_CORETYPE=Sandybridge"
    assert document["cpu"]["numpy_goes_without"] == "NPY_DISABLE_CPU_FEATURES=AVX2"
    assert document["environment"]["variables"]["OPENBLAS_CORETYPE"] == "Sandybridge"


def test_instructions_are_the_highest_level_with_all_flags():
    assert level(LEVELS["AVX2"]) == "AVX2"
    assert level(LEVELS["AVX2"] | {"avx512f"}) == "AVX2"  # a processor that BLAS has no AVX-512 kernel for
    assert level(LEVELS["AVX2"] | LEVELS["AVX-512"]) == "AVX-512"
    assert level({"asimd", "sve"}) is None
    assert level(()) is None


# ── the system ──


def system(monkeypatch: pytest.MonkeyPatch, folder: Path, **files: str) -> None:
    """Set the control groups and the list of processors of the system."""
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    monkeypatch.setattr(processors, "_CPUINFO", folder / "cpuinfo")
    monkeypatch.setattr(processors, "_CGROUP", folder)


def test_the_processor_is_named_without_running_another_program(monkeypatch, capsys):
    """Python would run a program called `uname`."""

    def asked(*arguments, **options):
        raise AssertionError(arguments)

    monkeypatch.setattr("platform._Processor.get", asked)
    monkeypatch.setattr("platform.processor", asked)
    monkeypatch.setattr(processors, "_CPUINFO", Path("/nonexistent"))
    monkeypatch.setattr("platform._uname_cache", None)
    monkeypatch.setattr("sys.platform", "linux")
    assert processors.name() == platform.machine()
    command.doctor()
    assert platform.machine() in capsys.readouterr().out


@pytest.fixture
def own_flags():
    processors.flags.cache_clear()
    yield
    processors.flags.cache_clear()


def test_caches_are_listed_or_unknown(monkeypatch, capsys):
    for known, words in (((Cache(1, 48 << 10, 2), Cache(3, 6 << 20, 1)), "L1 48.0 KiB × 2, L3 6.0 MiB"), ((), "sizes not known")):
        monkeypatch.setattr(processors, "caches", lambda known=known: known)
        command.doctor()
        assert words in capsys.readouterr().out
        assert processors.processor().caches == known


@pytest.mark.usefixtures("own_flags")
def test_limits_of_both_versions_of_control_groups_are_read(monkeypatch, tmp_path):
    listed = "model name\t: A Processor\nflags\t\t: sse2 avx avx2 fma\n"
    system(monkeypatch, tmp_path, cpuinfo=listed, cpu_max="150000 100000\n", memory_max=f"{1 << 20}\n")
    found = processors.processor()
    assert (found.name, found.instructions, found.quota) == ("A Processor", "AVX2", 1.5)
    assert processors.memory().limit_bytes == 1 << 20
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert processors.processor().quota is None
    assert processors.memory().limit_bytes is None
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert processors.processor().quota is None
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    assert processors.processor().quota == 0.5


@pytest.mark.usefixtures("own_flags")
def test_a_system_that_lists_nothing(monkeypatch, tmp_path):
    system(monkeypatch, tmp_path)
    monkeypatch.setitem(sys.modules, "psutil", None)
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "AVX2")  # NumPy then reports no features that can be trusted
    monkeypatch.delattr(processors.os, "sysconf", raising=False)
    found = processors.processor()
    assert (found.instructions, found.physical_cores, found.quota) == (None, None, None)
    assert found.usable_cores >= 1
    assert processors.memory() == MainMemory(None, None, None)


@pytest.mark.usefixtures("own_flags")
def test_instructions_from_numpy_if_the_system_lists_none(monkeypatch, tmp_path):
    listed = processors.processor().instructions
    if listed is None:
        pytest.skip("the system lists no x86 instructions to compare with")
    system(monkeypatch, tmp_path)
    monkeypatch.delenv("NPY_DISABLE_CPU_FEATURES", raising=False)
    assert processors.processor().instructions == listed
    processors.flags.cache_clear()
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "AVX2")
    assert processors.processor().instructions is None


# ── the driver ──


class NVMLError(Exception):
    pass


class NVMLError_LibraryNotFound(NVMLError):
    pass


def nvml(monkeypatch: pytest.MonkeyPatch, memory: Any = None, **functions: Any) -> None:
    """Install a module `pynvml` with one GPU, and `functions` in place of its own."""

    def fail(*_: Any) -> Any:
        raise NVMLError("Not Supported")

    module = ModuleType("pynvml")
    module.__spec__ = ModuleSpec("pynvml", None)
    answers: dict[str, Any] = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlSystemGetDriverVersion": lambda: "580.65.06",
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlDeviceGetName": lambda handle: "NVIDIA H200",
        "nvmlDeviceGetMemoryInfo": fail if memory is None else lambda handle: memory,
        "NVMLError": NVMLError,
    }
    vars(module).update(answers | functions)
    monkeypatch.setitem(sys.modules, "pynvml", module)


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_gpus_and_driver_are_read(monkeypatch):
    nvml(monkeypatch, memory=SimpleNamespace(total=140 << 30, free=139 << 30))
    assert doctor_gpu.driver() == GpuDriver("580.65.06", (GpuInfo("NVIDIA H200", 140 << 30, 139 << 30),))


def test_a_gpu_without_its_own_memory(monkeypatch):
    nvml(monkeypatch, nvmlDeviceGetName=lambda handle: "NVIDIA GB10\x1b", nvmlSystemGetDriverVersion=lambda: "580")
    assert doctor_gpu.driver() == GpuDriver("580", (GpuInfo("NVIDIA GB10\\x1b", None, None),))


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ({"nvmlInit": lambda: Event().wait(60)}, "no answer within 0.2 s"),
        ({"nvmlInit": failing(NVMLError("Driver/library version mismatch"))}, "failed: Driver/library version mismatch"),
        ({"nvmlDeviceGetCount": lambda: 0}, "lists no GPU"),
        ({"nvmlDeviceGetCount": failing(OSError("no such\nfunction"))}, "failed: no such"),
    ],
)
def test_a_driver_that_does_not_answer_is_one_line(monkeypatch, functions, reason):
    nvml(monkeypatch, **functions)
    found = doctor_gpu.driver(limit=0.2)
    assert found.version is None
    assert not found.absent
    assert reason in found.reason
    assert len(found.reason.splitlines()) == 1
    assert found.remedy


def test_a_machine_without_a_driver_or_without_nvidia_ml_py(monkeypatch):
    nvml(monkeypatch, nvmlInit=failing(NVMLError_LibraryNotFound("NVML Shared Library Not Found")))
    found = doctor_gpu.driver()
    assert (found.absent, found.reason) == (True, "no NVIDIA driver")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = doctor_gpu.driver()
    assert found.absent
    assert "pip install nvidia-ml-py" in found.remedy


# ── extras ──


def test_extras_are_parsed_from_the_metadata(monkeypatch):
    monkeypatch.setattr(reports, "_installed", {"nvidia-ml-py": "13.1", "pytest": "9.0"}.get)
    found = reports.parse_extras(
        ["cuda12-ctk", "test", "empty"],
        [
            "numpy<3,>=2.0",
            "cupy-cuda12x[ctk]<15,>=14; extra == 'cuda12-ctk'",
            'nvidia-ml-py>=13; extra == "cuda12-ctk"',
            "pexpect>=4.9; (sys_platform != 'win32') and extra == 'test'",
            "pytest; extra == 'test'",
        ],
    )
    assert found == (
        Extra("cuda12-ctk", (Package("cupy-cuda12x", "[ctk]<15,>=14", None), Package("nvidia-ml-py", ">=13", "13.1"))),
        Extra("test", (Package("pexpect", ">=4.9", None), Package("pytest", "", "9.0"))),
        Extra("empty", ()),
    )
    assert found[0].missing == ("cupy-cuda12x",)


def test_without_an_installed_tuisim_there_are_no_extras(report):
    assert reports.extras("no-such-distribution-here") == ()
    assert "tuisim is not installed" in shown(replace(report, extras=()))


def test_progress_is_reported():
    heard: list[str] = []
    diagnose(heard.append)
    assert "looking for a GPU" in heard
