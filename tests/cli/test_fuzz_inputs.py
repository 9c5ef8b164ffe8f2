"""Every option of every command with thousands of values: a mistake is one readable line, never a Python error.

Values are parsed and checked in this process; where a command would begin to measure or train, it has passed. A few drawn ones
are run whole, as processes.
"""

from __future__ import annotations

import inspect
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tuisim.cli import main
from tuisim.cli.app import answered
from tuisim.cli.options import NOTHING_GIVEN, Options, resolve
from tuisim.config import FIELDS, RunConfig
from tuisim.errors import ConfigError, ExitCode
from tuisim.features import COMMANDS
from tuisim.units import parse_count, parse_duration, parse_layers, parse_size

PYTHONIC = re.compile(
    r"\b[A-Z][A-Za-z]*(?:Error|Exception|Warning)\b|object at 0x|Traceback|NoneType|<class|\btuisim\.[a-z]+\.|TUISIM_DEBUG"
)
"""Patterns that no message for a person may contain."""
MISTAKEN = (ExitCode.BAD_CONFIGURATION, ExitCode.NO_BACKEND, ExitCode.BAD_DATA, ExitCode.RUN_FAILED)
LINES = 21
"""A configuration's mistakes, each on a line, and how many there are besides."""

NUMBERS = [
    "0", "1", "-1", "-0", "+3", "1e6", "1e400", "-1e400", "1e-400", "1e", "e5", "nan", "-nan", "NaN", "inf", "-inf",
    "Infinity", "0x10", "0b1", "1_000", "1__0", "1,5", "1,000", "1,00,0", ",", "1.", ".5", "0.5", "-0.0", "1.5", "1e-3",
    "1e30", "1e31", "1e18", "9" * 40, "9" * 5_000, "0" * 5_000 + "12", "1" + "e" * 500, "1e" + "9" * 500, "٣", "²", "½",
    "１２", "1 2", " 7 ", "\t7\n", "1;2", "5%",
]  # fmt: skip
TEXTS = [
    "", " ", "\n", "\r", "\t", "none", "None", "null", "true", "False", "auto", "--", "-", "--x", "-x", "=", "==", "'", '"',
    "`", "$HOME", "~", "~nobody/x", "*", "?", "{}", "{0.__class__}", "%s%n", "[red]x[/]", "[/]", ":smile:", "\x00", "\x07",
    "\x1b[2J", "\x1b]0;t\x07", "\x85", "\x9b31m", "\u202egnp", "\u2066", "\u200b", "\u2028", "\ufeff", "\udcff", "é" * 300,
    "🧠", "e\u0301" * 50, "x" * 100_000, "\x1b" * 10_000, "digits", "teacher", "relu", "relu,", "relu,tanh,,", "sgd,adam",
    "numpy", "numba", "cupy", "NUMPY", "numpy@2", "numpy@", "@", "@2", "numpy@all", "numpy@0", "numpy@-1", "numpy@1e3",
    "numpy@2@3", "numpy,scalar", "numpy,numpy", "scalar,,numpy", "float32", "float64", "float16,float32", "1,2", "1,,2",
    "1-2", "2h", "10min", "5 parsecs", "2GiB", "1e400GB", "-1s", "1e400 days", "http://example.org/x.csv", ".", "..", "/",
    "./", "//", "a/b", ".csv", "./.csv", "x.toml", "con", "nul.csv",
]  # fmt: skip
SIZES = [
    "64-32-10", "5-4-3", "4-2", "1-1", "5", "-", "--", "4-", "-4-2", "4--2", "4-0-2", "4-x-2", "4×2", "4x2", "4–2", "4—2",
    "4 - 2", "4,2", "4.0-2", "1e3-2", "٤-٢", "²-2", "4-2\n", "4-\x1b[31m2", "9" * 5_000 + "-2", "-".join(["2"] * 70),
    "-".join(["2"] * 5_000), "999999999999999999999999999999999999999-2", "1000000-1000000", "1000000000000000000-2", "_4-2",
    "4_0-2", "0x4-2", "+4-2", "",
]  # fmt: skip


class Reached(BaseException):
    """A command has accepted its options and would begin to work."""


_FUNCTIONS = {command.name: command.function for command in COMMANDS}
STARTS = (
    "answer.find_answer", "prove.proof.prove", "profile.profile_step", "predict.calibrated_predictor",
    "predict.predictor.named_predictor", "project.estimate", "project.estimate_volumes", "project.project_known", 
    "budget.budgets.budget",
    "score.run_score", "bench.run_bench", "doctor.diagnose", "calibrate.profiles.check_keeping",
)  # fmt: skip


def _reached(*_: object, **__: object) -> None:
    raise Reached


@pytest.fixture(autouse=True)
def begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for start in STARTS:
        command, _, what = start.partition(".")
        monkeypatch.setattr(f"{_FUNCTIONS[command].split(':')[0]}.{what}", _reached)
    monkeypatch.setattr("tuisim.engine.trainer.Trainer.run", _reached)
    for start in ("race.race._Race.run", "crossover.sweep.Sweep.run"):
        monkeypatch.setattr(f"tuisim.features.compare.{start}", _reached)
    monkeypatch.delenv("TUISIM_DEBUG", raising=False)


@pytest.fixture
def odd_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that are no file, or no usable one."""
    monkeypatch.chdir(tmp_path)
    contents = {
        "empty.csv": b"", "binary.csv": bytes(range(256)) * 40, "zeros.csv": bytes(4_096), "short.csv": b"1,2\n",
        "late.csv": b"1,2\n" * 40 + b"\xff,3\n", "empty.toml": b"", "binary.toml": bytes(range(256)),
        "list.toml": b"layers = [4, [2]]", "table.toml": b"[layers]\nx = 1", "date.toml": b"epochs = 2020-01-01",
        "broken.npz": b"PK\x03\x04" + bytes(60), "broken.npy": b"\x93NUMPY\x01\x00" + bytes(60),
        "idx3-ubyte": b"\x00\x00\x08\x03" + bytes(60), "card.json": b"{", "list.json": b"[]",
        "other.json": b'{"kind": "machine card", "version": 99}',
    }  # fmt: skip
    for name, content in contents.items():
        Path(name).write_bytes(content)
    Path("folder").mkdir()
    Path("folder.csv").mkdir()
    names = [
        *contents,
        "folder",
        "folder.csv",
        "folder/missing.csv",
        "missing.csv",
        "missing.toml",
        "empty.csv/below.csv",
        os.devnull,
    ]
    if sys.platform != "win32":
        os.symlink("loop.csv", "loop.csv")
        Path("closed.csv").write_text("1,2\n")
        Path("closed.csv").chmod(0)
        names += ["loop.csv", "closed.csv", "/dev/zero", "/proc/self/mem", "/" + "x" * 300 + ".csv", "/".join(["x" * 200] * 30)]
    return [f"./{name}" if not name.startswith("/") else name for name in names]


def faults_of(capsys: pytest.CaptureFixture[str], given: str, command: Callable[[], int], name: str = "") -> list[str]:
    """Describe how the answer of `command` to `given` breaks the rules, if it does: one line that names the option."""
    try:
        code: int | None = command()
    except Reached:
        code = None
    except BaseException as error:
        capsys.readouterr()
        return [f"{given!r:.200} ended with {error!r:.200}"]
    said = capsys.readouterr()
    lines, faults = said.err.splitlines(), []
    if code not in (None, ExitCode.DONE):
        if code not in MISTAKEN:
            faults.append(f"exit code {code}")
        if not 1 <= len(lines) <= LINES or not all(line.startswith("tuisim: ") and len(line) > 12 for line in lines):
            faults.append(f"not a line for each mistake: {lines!r:.300}")
        if (
            code == ExitCode.BAD_CONFIGURATION
            and name
            and not {name, name.replace("-", "_")} & set(re.findall(r"[a-z0-9_-]+", said.err))
        ):
            faults.append(f"does not name {name}: {said.err!r:.300}")
    if found := PYTHONIC.search(said.err):
        faults.append(f"{found[0]} in {said.err!r:.300}")
    if any(not c.isprintable() and c != "\n" for c in said.err + said.out):
        faults.append("prints control characters")
    return [f"{given!r:.200}: {fault}" for fault in faults]


OWN = {
    "compare": ("backends", "seconds"), "crossover": ("backends", "seconds", "widths", "batches"),
    "calibrate": ("backends", "threads", "dtypes", "export", "import", "name"), "predict": ("as",),
    "budget": ("seconds", "memory", "as"), "score": ("backends",), "bench": ("threads",), "runs": ("backend",),
    "manual": ("page",),
}  # fmt: skip
WITH_A_NETWORK = ("run", "count", "answer", "prove", "compare", "crossover", "profile", "predict", "project", "budget")
OF_A_RUN = (*(field.name for field in fields(Options)), "config")
PARAMETERS = {"import": "import_", "as": {"predict": "machine", "budget": "as_"}}


def _function(command: str) -> Callable[..., object]:
    module, _, name = _FUNCTIONS[command].partition(":")
    return getattr(import_module(module), name)


def called(command: str, option: str, value: str) -> Callable[[], int]:
    """Return a call of the command with one option, without the parser, which would take most of the time."""
    function = _function(command)
    given: dict[str, Any] = {"layers": "5-4-3"} if command in WITH_A_NETWORK else {}
    given |= {"seconds": "10"} if command == "budget" else {}
    if option in OF_A_RUN and option != "config" and command in WITH_A_NETWORK:
        given["options"] = Options(**{"examples": "40"} | {option: value})
    else:
        name = PARAMETERS.get(option, option)
        given[name if isinstance(name, str) else name[command]] = value
    return partial(answered, partial(function, **given))


def written(draw: random.Random, files: list[str]) -> list[str]:
    """Return a random command line, with values in both forms."""
    command = draw.choice([*WITH_A_NETWORK, *OWN])
    options = [one.replace("_", "-") for one in OF_A_RUN if command in WITH_A_NETWORK] + [*OWN.get(command, ())]
    line = [command] + [draw.choice(SIZES)] * (command in WITH_A_NETWORK)
    for option in draw.sample(options, min(len(options), draw.randint(0, 3))):
        value = draw.choice([*NUMBERS, *TEXTS, *files])
        line += draw.choice([[f"--{option}={value}"], [f"--{option}", value], [f"--{option}"]])
    return line


def test_every_command_and_option_is_fuzzed():
    assert set(_FUNCTIONS) == {*WITH_A_NETWORK, *OWN, "doctor"}
    for command in _FUNCTIONS:
        parameters = inspect.signature(_function(command)).parameters
        texts = {name.rstrip("_") for name, one in parameters.items() if "bool" not in str(one.annotation)} - {
            "layers", "options", "config", "json", "machine", "as",
        }  # fmt: skip
        assert texts == {*OWN.get(command, ())} - {"as"}, command


@pytest.mark.parametrize("option", OF_A_RUN)
def test_options_of_a_run(option, capsys, odd_files):
    values, name = [*NUMBERS, *TEXTS, *odd_files], option if option != "config" else ""  # which names its own fields
    if option == "backend":
        values = [value for value in values if value not in ("numba", "auto")]  # which would compile
    draw = random.Random(option)
    faults = [fault for value in values for fault in faults_of(capsys, value, called("run", option, value), name)]
    for command in WITH_A_NETWORK[1:]:
        for value in draw.sample(values, 3):
            faults += faults_of(capsys, f"{command} {value}", called(command, option, value), name)
    assert faults == []


@pytest.mark.parametrize("command", OWN)
def test_options_of_one_command(command, capsys, odd_files):
    faults = []
    for option in OWN[command]:
        for value in [*NUMBERS, *TEXTS, *SIZES, *odd_files]:
            faults += faults_of(capsys, value, called(command, option, value), option if option != "import" else "")
    assert faults == []


def test_layers(capsys):
    faults = []
    for i, value in enumerate([*SIZES, *NUMBERS, *TEXTS]):
        for command in ("count", WITH_A_NETWORK[i % len(WITH_A_NETWORK)]):
            more = {"seconds": "10"} if command == "budget" else {}
            run = partial(answered, partial(_function(command), value, **more))
            faults += faults_of(capsys, f"{command} {value}", run, "layers")
    assert faults == []


def test_random_command_lines(capsys, odd_files):
    draw = random.Random(11)
    faults = []
    for _ in range(80):
        arguments = written(draw, odd_files)
        faults += faults_of(capsys, repr(arguments), partial(main, arguments))
    assert faults == []


def test_files_with_a_value_of_every_type_in_every_field(tmp_path, capsys):
    values = ("1", "-1", "1.5", "nan", "inf", "true", '""', '"x"', "[]", "[1, [2]]", '["a", 1]', "{}", "{a = 1}", "2020-01-01",
              "07:32:00", "1979-05-27T07:32:00Z", "0x10", "9" * 400, "1e999", '"\\u0000"', '"""a\nb"""')  # fmt: skip
    faults = []
    path = tmp_path / "run.toml"
    for name in (*FIELDS, "unknown", '"\\u001b[31m"', '""'):
        for value in values:
            path.write_text("layers = [5, 4, 3]\n" * (name != "layers") + f"{name} = {value}\n")
            run = partial(answered, partial(resolve, None, NOTHING_GIVEN, str(path)))
            faults += faults_of(capsys, f"{name} = {value}", run, name if name in FIELDS else "")
    assert faults == []


def test_python_values_of_every_type():
    """Values that a script passes to RunConfig: a wrong one is reported as a mistake of its field."""
    faults = []
    odd = (
        None,
        True,
        -1,
        0,
        10**400,
        1.5,
        float("nan"),
        float("inf"),
        1j,
        "",
        "x",
        b"x",
        (),
        (1,),
        [None],
        [[]],
        {},
        {1},
        object(),
        int,
        len,
        ...,
    )
    for name in FIELDS:
        for value in odd:
            try:
                RunConfig(**{"layers": (5, 4, 3), name: value})
            except ConfigError as error:
                if name not in {mistake.field for mistake in error.mistakes} or PYTHONIC.search(str(error)):
                    faults.append(f"{name} = {value!r}: {error}")
    assert faults == []


@pytest.mark.parametrize("parse", [parse_count, parse_duration, parse_size, parse_layers])
def test_parsers_of_numbers(parse):
    draw, faults = random.Random(parse.__name__), []
    alphabet = "0123456789eE.,_-+ kKMGTinfabsdhµy×x\u0660\u00b2\x1b\u202e"
    for text in [*NUMBERS, *TEXTS, *SIZES, *("".join(draw.choices(alphabet, k=draw.randint(0, 12))) for _ in range(3_000))]:
        try:
            parse(text)
        except ValueError as error:
            if not str(error).isprintable() or PYTHONIC.search(str(error)):
                faults.append(f"{text!r}: {error}")
    assert faults == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "5-4-3", "--examples", "1e400", "--learning-rate=nan", "--dataset", "\x1b[2J"),
        ("budget", "5-4-3", "--seconds", "5 parsecs", "--memory=1e400GB"),
        ("calibrate", "--threads=,", "--dtypes", "float16,\u202e"),
        ("count", "--config", "."),
        ("predict", "4-2", "--as", "/dev/zero"),
        ("compare", "4-2", "--backends", "numpy@-1,", "--seconds=nan"),
    ],
)
def test_command_lines_as_processes(arguments):
    result = subprocess.run(
        [sys.executable, "-m", "tuisim", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert result.returncode in MISTAKEN, result.stderr
    assert result.stdout == ""
    assert all(line.startswith("tuisim: ") and line.isprintable() for line in result.stderr.splitlines())
    assert not PYTHONIC.search(result.stderr)
