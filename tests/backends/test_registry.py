"""Backends by name: probing, reasons and remedies, and the choice of `auto`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuisim import RunConfig, Trainer, count
from tuisim.backends import (
    AUTO,
    BackendChoice,
    Probe,
    choose,
    get_backend,
    gpu_child,
    gpu_probe,
    names,
    probe,
    probe_if_loaded,
    registry,
)
from tuisim.backends.gpu_probe import cuda_version, judge, parse_line
from tuisim.backends.registry import BackendSpec, installed, probe_library
from tuisim.errors import BackendError, ExitCode
from tuisim.features.explain.proof.proof import prove

SMALL = RunConfig(layers=(5, 4, 3), examples=40, epochs=1, backend=AUTO)


@pytest.fixture(autouse=True)
def nothing_found_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_found", {})
    gpu_probe.facts.cache_clear()
    yield
    gpu_probe.facts.cache_clear()


def numba_is(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Set the result of probing Numba."""
    found = Probe("numba", **({"available": False} | changes))
    monkeypatch.setitem(registry._found, "numba", found)


# ── by name ──


def test_nothing_is_imported_before_it_is_used():
    code = """
import json, sys
from tuisim import backends
asked = backends.names(), backends.probe_if_loaded("numba"), backends.probe_if_loaded("numpy")
loaded = lambda: sorted({"numpy", "numba", "cupy", "textual", "threadpoolctl"} & set(sys.modules))
before = loaded()
backends.get_backend("numpy")
print(json.dumps([before, loaded()]))
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    before, after = json.loads(result.stdout)
    assert before == []
    assert set(after) <= {"numpy", "threadpoolctl"}
    assert "numpy" in after


def test_counting_imports_no_backend():
    code = (
        "import sys, tuisim; tuisim.count(tuisim.RunConfig(layers=(4, 2), backend='numba'));"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('numpy', 'numba') or name == 'tuisim.backends'))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert result.stdout.strip() == "[]"


def test_every_working_backend_has_its_name_and_device():
    assert set(names()) == {"numpy", "scalar", "numba", "cupy"}
    working = [name for name in names() if probe(name).available]
    assert {"numpy", "scalar"} <= set(working)
    for name in working:
        assert get_backend(name).name == name
        assert probe(name).device
        assert (probe(name).reason, probe(name).remedy) == ("", "")
    assert probe("numpy").version


@pytest.mark.parametrize(
    ("name", "words"),
    [("nunba", "did you mean numba"), ("autp", "did you mean auto"), ("cuda", "one of"), ("\x1b[2J", "\\x1b")],
)
def test_an_unknown_name_lists_the_valid_ones(name, words):
    for ask in (get_backend, probe_if_loaded):
        with pytest.raises(BackendError) as caught:
            ask(name)
        assert words in str(caught.value)
        assert "numpy, scalar, numba" in str(caught.value)
        assert caught.value.exit_code is ExitCode.NO_BACKEND


def test_an_unavailable_backend_is_refused_with_reason_and_remedy(monkeypatch):
    numba_is(monkeypatch, reason="not installed", remedy="pip install 'tuisim[numba]'")
    with pytest.raises(BackendError, match=r"^backend numba: not installed; pip install 'tuisim\[numba\]'$"):
        get_backend("numba")
    with pytest.raises(BackendError, match="not installed"):
        Trainer(RunConfig(layers=(5, 3), backend="numba"))
    with pytest.raises(BackendError, match="not installed"):
        prove(RunConfig(layers=(5, 3), backend="numba"))
    assert count(RunConfig(layers=(5, 3), backend="numba")).parameters == 18


def test_each_backend_is_probed_once(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(registry, "probe_library", lambda name, spec: asked.append(name) or Probe(name, True))
    assert probe("scalar") is probe("scalar")
    assert asked == ["scalar"]


# ── one backend's library ──


def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> BackendSpec:
    """Return the spec of a backend that needs a library of that source."""
    name = f"stand_in_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / f"{name}_backend.py").write_text(f"import {name}\nclass It:\n    def device(self): return 'loops ×1'\n")
    monkeypatch.syspath_prepend(tmp_path)
    return BackendSpec(f"{name}_backend", "It", name, "pip install it", "pip repair it")


def test_a_library_that_is_not_installed(tmp_path):
    spec = BackendSpec("tuisim.backends.absent", "It", "no_such_library_here", "pip install it", "pip repair it")
    assert not installed(spec)
    found = probe_library("it", spec)
    assert found == Probe("it", False, None, "", "not installed", "pip install it")
    assert found.absent


def test_a_library_that_works(monkeypatch, tmp_path):
    assert probe_library("it", library(monkeypatch, tmp_path, "x = 1")) == Probe("it", True, "", "loops ×1")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "raise ImportError('Numba needs NumPy 2.3 or less.\\nand more')",
            "Numba needs NumPy 2.3 or less",
        ),
        ("raise SystemError", "no reason given"),
        ("raise OSError('libLLVM.so: cannot open\\x1b[2J')", "libLLVM.so: cannot open\\x1b[2J"),
        ("raise AttributeError('x' * 5000)", "xxx"),
    ],
)
def test_a_library_that_breaks_on_import(monkeypatch, tmp_path, source, words):
    found = probe_library("it", library(monkeypatch, tmp_path, source))
    assert not found.available
    assert not found.absent
    assert words in found.reason
    assert len(found.reason.splitlines()) == 1
    assert len(found.reason) <= 200
    assert found.remedy == "pip repair it"


def test_a_disabled_compiler_is_unavailable(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    found = probe_library("numba", library(monkeypatch, tmp_path, "y = 1"))
    assert (found.available, found.reason, found.remedy) == (False, "NUMBA_DISABLE_JIT=1 is set", "unset NUMBA_DISABLE_JIT")


def test_a_cpu_name_with_control_codes_makes_numba_unavailable(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CPU_NAME", "\x1b[31m")
    found = probe_library("numba", library(monkeypatch, tmp_path, "y = 1"))
    assert (found.available, found.reason, found.remedy) == (False, "NUMBA_CPU_NAME=\\x1b[31m is set", "unset NUMBA_CPU_NAME")


def test_probing_without_importing(monkeypatch, tmp_path):
    spec = library(monkeypatch, tmp_path, "z = 1")
    monkeypatch.setitem(registry._SPECS, "it", spec)
    assert probe_if_loaded("it") is None
    assert spec.library not in sys.modules
    assert probe("it").available
    found = probe_if_loaded("it")
    assert found is not None
    assert found.available


# ── auto ──


def test_auto_explains_its_choice(monkeypatch):
    numba_is(monkeypatch, reason="not installed", remedy="pip install it")
    assert choose(SMALL) == BackendChoice("numpy", "backend auto: numpy; numba not installed; pip install it")
    monkeypatch.setitem(registry._found, "numpy", Probe("numpy", False, "2.9", reason="broken"))
    assert choose(SMALL).name == "scalar"
    assert choose(RunConfig(layers=(5, 3), backend="numba")) == BackendChoice("numba", "")


def test_auto_leaves_large_networks_to_blas(monkeypatch):
    numba_is(monkeypatch, available=True, version="0.68.1")
    monkeypatch.setitem(sys.modules, "tuisim.backends.numba", SimpleNamespace(suits=lambda largest, dtype: largest <= 120))
    small = RunConfig(layers=(5, 4, 3), batch_size=6, backend=AUTO)
    assert choose(small).name == "numba"
    assert "compiles" in choose(small).note
    assert choose(replace(small, batch_size=7)) == BackendChoice(
        "numpy", "backend auto: numpy; numba's loops would take longer for matrix products of this size"
    )
    assert choose(replace(small, batch_size=7, examples=6)).name == "numba"


def test_auto_uses_the_limit_of_the_backend():
    if not probe("numba").available:
        pytest.skip(f"numba: {probe('numba').why_not}")
    from tuisim.backends.numba import gemm

    tiny = RunConfig(layers=(30, 30, 30), batch_size=1, loss="mse", backend=AUTO, examples=50, epochs=1)
    assert choose(tiny).name == "numba"
    large = choose(RunConfig(layers=(4096, 4096, 10), batch_size=512, backend=AUTO)).name
    assert large == ("cupy" if probe("cupy").available else "numba" if gemm.address("float32") else "numpy")
    summary = Trainer(tiny).run()
    assert (summary.backend, summary.config.backend) == ("numba", "numba")
    assert any("backend auto: numba" in note for note in summary.notes)


def test_a_run_on_auto_records_its_backend(monkeypatch):
    numba_is(monkeypatch, reason="not installed", remedy="pip install it")
    told: list[Any] = []
    trainer = Trainer(SMALL)
    assert any(note.startswith("backend auto: numpy") for note in trainer.notes)
    summary = trainer.run(told.append)
    assert (summary.backend, summary.config.backend) == ("numpy", "numpy")
    assert summary.notes == trainer.notes
    assert json.loads(json.dumps(summary.to_dict()))["config"]["backend"] == "numpy"
    assert {item.config.backend for item in told if hasattr(item, "config")} == {"numpy"}
    assert not any("backend auto" in note for note in Trainer(RunConfig(layers=(5, 3), examples=20)).notes)


def test_a_proof_on_auto_checks_the_chosen_backend(monkeypatch):
    numba_is(monkeypatch, reason="not installed")
    assert prove(RunConfig(layers=(3, 2), examples=8, backend=AUTO, threads=1)).config.backend == "numpy"


# ── on the command line ──


def tuisim(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tuisim", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        # So that neither numba nor cupy can work, whether or not they are here.
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "CUDA_VISIBLE_DEVICES": "-1"},
    )


@pytest.mark.parametrize(("name", "words"), [("numba", ("backend numba: ", "; ")), ("cupy", ("backend cupy: ", "; "))])
@pytest.mark.parametrize("command", ["run", "prove"])
def test_an_unavailable_backend_exits_with_3_and_one_line(command, name, words):
    result = tuisim(command, "5-4-3", "--backend", name)
    assert (result.returncode, result.stdout) == (ExitCode.NO_BACKEND, "")
    assert len(result.stderr.splitlines()) == 1
    assert all(word in result.stderr for word in words)


def test_auto_on_the_command_line_explains_its_choice():
    result = tuisim("run", "5-4-3", "--backend", "auto", "--examples", "40", "--epochs", "1", "--json")
    document = json.loads(result.stdout)
    assert (document["backend"], document["config"]["backend"]) == ("numpy", "numpy")
    assert any(note.startswith("backend auto: numpy; numba") for note in document["notes"])


# ── CuPy, in a process of its own ──


def child(source: str) -> list[str]:
    return [sys.executable, "-c", source]


def test_a_process_that_hangs_ends_at_the_limit():
    found = gpu_probe.ask(
        child('import time; print(\'{"stage": "kernel", "version": "14.2.0"}\', flush=True); time.sleep(600)'), limit=0.5
    )
    verdict = judge(found)
    assert not verdict.available
    assert verdict.version == "14.2.0"
    assert verdict.reason == "no answer within 0.5 s while compiling and running a kernel"
    assert "nvidia-smi" in verdict.remedy


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_process_that_crashes_is_explained_by_its_signal():
    found = gpu_probe.ask(
        child('import os, signal; print(\'{"stage": "product"}\', flush=True); os.kill(os.getpid(), signal.SIGSEGV)')
    )
    assert judge(found).reason == "crashed (SIGSEGV) while computing a matrix product"


def test_a_process_without_output_or_with_too_much():
    silent = judge(gpu_probe.ask(child("raise SystemExit(7)")))
    assert silent.reason == "ended without an answer (exit code 7) while starting Python"
    loud = judge(gpu_probe.ask(child("print('[1]\\n{\\x22\\n\\x00' * 200_000)")))
    assert loud.reason == "too much output while starting Python"


def test_a_process_that_writes_without_end_is_killed():
    output, end = gpu_probe.run(child("import sys\nwhile True: sys.stdout.write('{}' * 1_000)"), 60)
    assert end == {"flooded": True}
    assert len(output) == gpu_probe.MAX_BYTES


@pytest.mark.skipif(sys.platform == "win32", reason="no sleep there")
def test_a_grandchild_that_keeps_the_output_open_does_not_block():
    output, end = gpu_probe.run(["sh", "-c", "sleep 5 & echo here"], 60)
    assert (output.strip(), end) == ("here", {"code": 0})


def test_a_process_that_cannot_be_started():
    found = judge(gpu_probe.ask(["/no/such/program"]))
    assert found.reason.startswith("the probe process could not be started")


def stub(tmp_path: Path, body: str, metadata: tuple[str, ...] = ("cupy-cuda13x",)) -> list[str]:
    """Return the command of the real script, with a CuPy of that source."""
    (tmp_path / "cupy.py").write_text(body)
    for name in metadata:
        folder = tmp_path / f"{name.replace('-', '_')}-14.2.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 14.2.0\n")
    source = Path(gpu_child.__file__).read_text(encoding="utf-8")
    return [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nexec({source!r})"]


WORKING = """
import numpy, sys
print("noise on stdout"); print("noise", file=sys.stderr)
__version__ = "14.2.0"
class runtime:
    driverGetVersion = staticmethod(lambda: 13010)
    runtimeGetVersion = staticmethod(lambda: 13000)
    getDeviceCount = staticmethod(lambda: 1)
    getDeviceProperties = staticmethod(lambda number: {"name": b"NVIDIA H200"})
    memGetInfo = staticmethod(lambda: (100, 200))
class cuda: pass
cuda.runtime = runtime
ElementwiseKernel = lambda *texts: lambda x: 2 * x
arange, ones = numpy.arange, numpy.ones
"""


def test_a_cupy_that_works(tmp_path):
    found = gpu_probe.ask(stub(tmp_path, WORKING))
    assert judge(found) == Probe("cupy", True, "14.2.0", "NVIDIA H200")
    assert (found["free_bytes"], found["total_bytes"]) == (100, 200)
    assert (cuda_version(found["driver"]), cuda_version(found["runtime"])) == ("13.1", "13.0")


def raising(where: str, error: str) -> str:
    """Return the source of the working CuPy, but `where` raises `error`."""
    return WORKING + (
        "class CUDARuntimeError(RuntimeError): pass\nclass DynamicLibNotFoundError(RuntimeError): pass\n"
        "class OutOfMemoryError(MemoryError): pass\nclass CompileException(Exception): pass\n"
        f"def fail(*_): raise {error}\n{where} = fail\n"
    )


INSUFFICIENT = "CUDARuntimeError('cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version')"
FAILURES = {
    "no driver": (
        raising("runtime.getDeviceCount", INSUFFICIENT) + "runtime.driverGetVersion = lambda: 0",
        "no NVIDIA driver",
        "install NVIDIA's driver",
    ),
    "an old driver": (
        raising("runtime.getDeviceCount", INSUFFICIENT) + "runtime.driverGetVersion = lambda: 12040",
        "the driver supports CUDA 12.4, CuPy needs CUDA 13.0",
        "update the driver, or pip install 'tuisim[cuda12]'",
    ),
    "a very old driver": (
        raising("runtime.getDeviceCount", INSUFFICIENT) + "runtime.driverGetVersion = lambda: 11040",
        "CUDA 11.4",
        "update the driver",
    ),
    "no GPU": (
        raising("runtime.getDeviceCount", "CUDARuntimeError('cudaErrorNoDevice: no CUDA-capable device is detected')"),
        "the driver shows no GPU",
        "nvidia-smi",
    ),
    "no toolkit for kernels": (
        raising("ElementwiseKernel", "DynamicLibNotFoundError('Failure finding \"libnvrtc.so\"\\nmore')"),
        "CUDA libraries are missing while compiling and running a kernel",
        "pip install 'tuisim[cuda13-ctk]'",
    ),
    "no headers": (
        raising("ElementwiseKernel", "CompileException('\\n==\\nvector_types.h: No such file')"),
        "vector_types.h",
        "pip install 'tuisim[cuda13-ctk]'",
    ),
    "no toolkit for products": (
        raising("ones", "ImportError('libcublas.so.13: cannot open shared object file')"),
        "CUDA libraries are missing while computing a matrix product: libcublas.so.13",
        "pip install 'tuisim[cuda13-ctk]'",
    ),
    "a full GPU": (raising("ones", "OutOfMemoryError('Out of memory allocating 512 bytes')"), "no memory left", "nvidia-smi"),
    "wrong arithmetic": (WORKING + "ElementwiseKernel = lambda *t: lambda x: 3 * x", "instead of 65280", "driver"),
    "another error": (
        raising("runtime.memGetInfo", "CUDARuntimeError('cudaErrorUnknown')"),
        "while querying its memory",
        "driver",
    ),
    "a broken import": ("raise ImportError('\\n====\\nFailed to import CuPy.\\nlong text')", "Failed to import CuPy", "cuda13"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failing_cupy_is_explained_in_one_line(tmp_path, monkeypatch, case):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    body, reason, remedy = FAILURES[case]
    verdict = judge(gpu_probe.ask(stub(tmp_path, body)))
    assert not verdict.available
    assert not verdict.absent
    assert reason in verdict.reason
    assert remedy in verdict.remedy
    assert len(f"{verdict.reason}{verdict.remedy}".splitlines()) == 1
    assert ("pip install" in verdict.remedy) == ("pip install" in remedy or "cuda13" in remedy)


def test_a_gpu_hidden_by_a_variable(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    verdict = judge({"stage": "device", "driver": 13010, "error": "CUDARuntimeError", "message": "cudaErrorNoDevice: none"})
    assert verdict.remedy == "unset CUDA_VISIBLE_DEVICES, which is '-1'"


def test_output_that_is_not_a_fact_is_ignored(tmp_path):
    body = (
        'import os, sys\nos.write(1, b\'{"packages": 7, "version": [1], "driver": {}}\\n[2]\\n\')\nraise ImportError(\'broken\')'
    )
    verdict = judge(gpu_probe.ask(stub(tmp_path, body)))
    assert not verdict.available
    assert verdict.reason
    assert parse_line('{"packages": 7, "version": [1], "driver": {}, "stage": "import"}') == {"stage": "import"}
    assert parse_line("[" * 60_000) == {}
    assert parse_line('{"packages": ["cupy-cuda13x"]}') == {"packages": ["cupy-cuda13x"]}


def test_a_cache_folder_that_cannot_be_written_to():
    found = judge({"stage": "import", "packages": ["cupy-cuda13x"], "error": "PermissionError", "message": "[Errno 13] '/x'"})
    assert "CUPY_CACHE_DIR" in found.remedy


def test_two_packages_of_cupy_are_refused(tmp_path):
    verdict = judge(gpu_probe.ask(stub(tmp_path, WORKING, ("cupy-cuda12x", "cupy-cuda13x"))))
    assert verdict.reason == "several of its packages are installed: cupy-cuda12x, cupy-cuda13x"
    assert verdict.remedy.startswith("pip uninstall cupy-cuda12x cupy-cuda13x")


def test_cupy_is_probed_once(monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(registry, "installed", lambda spec: True)
    monkeypatch.setattr(gpu_probe, "ask", lambda: asked.append(1) or {"absent": True})
    assert probe("cupy").absent
    assert probe("cupy") is probe("cupy")
    assert asked == [1]
