"""The command line as a process: data on stdout, messages on stderr, and the exit code."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tuisim.cli import main


def tuisim(*arguments, **options):
    """Run tuisim without COLUMNS, which readline sets for child processes."""
    options.setdefault("env", {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")})
    return subprocess.run(
        [sys.executable, "-m", "tuisim", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        **options,
    )


def one_line(result, code, *parts):
    assert result.returncode == code, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


@pytest.mark.parametrize(
    ("option", "suggested"),
    [
        ("--time", None),
        ("--optimiser=adam", "--optimizer"),
        ("--bach-size", "--batch-size"),
        ("--learningrate", "--learning-rate"),
    ],
)
def test_an_unknown_option_is_told_the_right_one_only_if_it_is_a_misspelling(capsys, option, suggested):
    assert main(["count", "8-8", option, "3"]) == 2
    said = capsys.readouterr().err
    assert f"unknown option {option.partition('=')[0]}" in said
    assert (f"did you mean {suggested}?" if suggested else "--help lists all options") in said


def test_run_prints_only_its_summary():
    result = tuisim("run", "64-32-10", "--dataset", "digits", "--epochs", "2", "--json")
    assert result.returncode == 0
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert document["ended"] == "completed"
    assert document["config"]["layers"] == [64, 32, 10]
    assert document["examples_seen"] == 2 * 1618


def test_run_prints_a_readable_summary():
    result = tuisim("run", "5-4-3", "--epochs", "1", "--examples", "1e3")
    assert result.returncode == 0
    assert "1,000 examples" in result.stdout
    assert "completed" in result.stdout


def test_digits_are_learned():
    accuracies = []
    for seed in range(5):
        result = tuisim(
            "run", "64-32-10", "--dataset", "digits", "--validation", "0.2", "--epochs", "20", "--seed", str(seed), "--json"
        )
        accuracies.append(json.loads(result.stdout)["validation_accuracy"])
    assert sorted(accuracies)[2] >= 0.95


def test_files_without_dot_or_slash_and_the_figures_of_their_rows(tmp_path):
    for name, rows in (("flowers", range(60)), ("more", range(60, 90))):
        lines = [f"{row % 3 + row % 7 / 10},{row % 3 * 2},{'abc'[row % 3]}" for row in rows]
        (tmp_path / name).write_text("\n".join(["width,height,kind", *lines]) + "\n")
    words = ("run", "2-8-3", "--dataset", "flowers", "--validation-data", "more", "--scaling", "minmax", "--epochs", "60",
             "--optimizer", "sgd", "--batch-size", "8")  # fmt: skip
    text = tuisim(*words, cwd=tmp_path).stdout
    assert "note        inputs scaled to 0..1 by the training minimum and maximum" in text
    assert "note        validation: 30 rows of more" in text
    document = json.loads(tuisim(*words, "--json", cwd=tmp_path).stdout)
    assert document["config"]["dataset"] == os.path.join(".", "flowers")
    confusion = document["confusion"]
    assert confusion["classes"] == ["a", "b", "c"]
    assert [sum(row) for row in confusion["counts"]] == [10, 10, 10]
    assert document["validation_accuracy"] == sum(confusion["counts"][place][place] for place in range(3)) / 30 == 1.0
    assert [line.split() for line in text.splitlines()[-4:]] == [
        ["a", "b", "c", "correct"],
        *([name, *("10" if name == other else "·" for other in "abc"), "100.0", "%"] for name in "abc"),
    ]
    one_line(tuisim(*words, "--validation", "0.3", cwd=tmp_path), 2, "validation = 0.3: leave it out: validation_data has")


def test_binary_cross_entropy_on_digits_tells_the_share_of_rows_that_are_right():
    words = ("run", "64-32-10", "--dataset", "digits", "--loss", "binary_cross_entropy", "--epochs", "1", "--json",
             "--optimizer", "sgd", "--batch-size", "32")  # fmt: skip
    document = json.loads(tuisim(*words).stdout)
    # Each output says no: nine of ten are right, and the largest of them is the class of one row in six.
    assert document["validation_accuracy"] < 0.3
    counts = document["confusion"]["counts"]
    assert document["validation_accuracy"] == sum(counts[place][place] for place in range(10)) / 179


def test_count_as_json_and_as_a_table():
    document = json.loads(
        tuisim("count", "30-30-30", "--output-activation", "relu", "--loss", "mse", "--batch-size", "1", "--json").stdout
    )
    assert document["totals"]["step"] == 11_070
    assert document["tools_per_example"]["ptflops"] == 1_980
    table = tuisim("count", "30-30-30", "--output-activation", "relu", "--loss", "mse", "--batch-size", "1").stdout
    assert "11,070 operations per example = 3.08 × the naive count of 3,600" in table
    assert "× B·N·M" in table


def test_a_network_too_large_to_train_is_counted():
    result = tuisim("count", "1000000-1000000-1000000", "--batch-size", "1e6")
    assert result.returncode == 0
    assert "2.00 T" in result.stdout or "2,000,002,000,000" in result.stdout


@pytest.mark.parametrize(
    "arguments", [["count", "4-2"], ["count", "4-2", "--json"], ["--help"], ["count", "--help"], ["--version"]]
)
def test_counting_and_help_import_neither_textual_nor_numpy_and_start_no_thread(arguments):
    code = (
        f"import sys, threading; sys.argv[1:] = {arguments}; del threading.Thread.start; "
        "from tuisim.__main__ import main; main();"
        "print([name for name in ('textual', 'numpy', 'cupy', 'pandas') if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stderr.strip() == "[]"


def test_flags_override_a_configuration_file(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('layers = [5, 4, 3]\nepochs = 1\nexamples = 100\nhidden-activation = ["tanh"]\n')
    document = json.loads(tuisim("run", "--config", str(path), "--epochs", "2", "--json").stdout)
    assert document["config"]["hidden_activation"] == ["tanh"]
    assert document["epochs"] == 2
    assert json.loads(tuisim("run", "5-4-4-3", "--config", str(path), "--hidden-activation", "relu,tanh", "--json").stdout)


@pytest.mark.parametrize(
    ("arguments", "code", "parts"),
    [
        (["run", "64-0-10"], 2, ["the size of hidden layer 1 is 0"]),
        (["run", "64-x-10"], 2, ["64-32-10"]),
        (["run", "4-auto-2"], 2, ["layers", "only inputs and outputs"]),
        (["run", "64-32-10", "--loss", "mze"], 2, ["did you mean mse"]),
        (["run", "64-32-10", "--epochs", "2o"], 2, ["epochs = 2o", "not a number"]),
        (["run", "64-32-10", "--validation", "lots"], 2, ["validation"]),
        (["run", "64-32-10", "--learnin-rate", "1"], 2, ["--learning-rate"]),
        (["run", "64-32-10", "--config", "absent.toml"], 2, ["absent.toml"]),
        (["rum", "64-32-10"], 2, ["run"]),
        (["run", "64-32-10", "--backend", "nunpy"], 3, ["did you mean numpy"]),
        (["run", "64-32-10", "--dataset", "absent.csv"], 4, ["absent.csv"]),
        (["run", "30-32-10", "--dataset", "digits"], 4, ["64"]),
        (["run", "1000000-1000000-10"], 5, ["would fit", "can still be counted"]),
        (["bench", "--threads", "0"], 2, ["threads"]),
        (["bench", "--threads", "x"], 2, ["threads", "not a number"]),
        (["run", "5-3", "--threads", "1e30"], 2, ["threads"]),
        (["run", "5-3", "--learning-rate", "1e300"], 2, ["too large for float32"]),
        (["run", "5-3", "--validation", "lots"], 2, ["validation", "0.01"]),
        (["count", "9" * 5000 + "-10"], 2, ["too large"]),
        (["count", "5-3", "--config", "/dev/zero"], 2, ["regular file"]),
        (["\x1b[2J"], 2, ["\\x1b"]),
    ],
)
def test_a_mistake_is_one_line(arguments, code, parts):
    one_line(tuisim(*arguments), code, *parts)


def test_several_mistakes_are_one_line_each():
    result = tuisim("run", "64-0-10", "--loss", "mze", "--batch-size", "none")
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 3


def test_a_run_that_diverges_still_prints_its_summary():
    result = tuisim("run", "64-32-10", "--learning-rate", "1e9", "--json")
    one_line(result, 5, "diverged", "layer")
    assert json.loads(result.stdout)["ended"] == "diverged"


def test_the_app_refuses_to_start_without_a_terminal():
    one_line(tuisim(), 2, "terminal", "tuisim run")


def test_a_console_gets_a_question_mark_for_a_character_it_cannot_encode():
    result = tuisim("count", "4-3-2", env=os.environ | {"PYTHONIOENCODING": "cp1252"}, encoding="cp1252")
    assert result.returncode == 0
    assert "act?" in result.stdout


def test_version_and_help():
    assert tuisim("--version").stdout.strip() == "0.2.0"
    shown = tuisim("run", "--help").stdout
    assert "--hidden-activation" in shown
    assert "Activation after each hidden layer" in shown
    assert "[sgd | " in shown
    assert "(default: 0.1)" in shown


def test_no_color_is_respected():
    forced = os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[1m" in tuisim("count", "4-2", env=forced).stdout
    colours = tuisim("count", "4-2", env=forced | {"NO_COLOR": "1"}).stdout
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", colours)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_the_run_and_prints_its_summary(name, code):
    process = subprocess.Popen(
        [sys.executable, "-m", "tuisim", "run", "64-32-10", "--epochs", "none", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    patience = time.monotonic() + 60
    while psutil.Process(process.pid).cpu_times().user < 1.5 and time.monotonic() < patience:  # imports take half a second of it
        time.sleep(0.05)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert err == ""
    document = json.loads(out)
    assert document["ended"] == "interrupted"
    assert document["steps"] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("arguments", ["count 64-32-10 --json", "count 64-32-10", "run --help"])
def test_a_closed_pipe_is_no_error(arguments):
    command = f"{sys.executable} -m tuisim {arguments} | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    assert result.stdout == "0\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_reported_in_one_line():
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "tuisim", "count", "5-3"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    one_line(result, 5, "No space left")
