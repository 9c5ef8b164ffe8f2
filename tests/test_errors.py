"""Error messages: one line in words without a class name, and the traceback with TUISIM_DEBUG=1."""

import ast
import warnings
from pathlib import Path

import pytest

import tuisim.cli
from tuisim import __main__ as program
from tuisim.cli.app import answered
from tuisim.errors import OUT_OF_MEMORY, ConfigError, DataError, ExitCode, Mistake, fault, in_words, printable, said


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DataError("data.csv: no such file"), "data.csv: no such file"),
        (MemoryError("Unable to allocate 3 GiB"), OUT_OF_MEMORY),
        (PermissionError(13, "Permission denied", "a\x1b.csv"), "a\\x1b.csv: Permission denied"),
        (OSError("only 3 of 9 bytes could be written"), "only 3 of 9 bytes could be written"),
        (ImportError("libfast.so.1: cannot open shared object file"), "libfast.so.1: cannot open shared object file"),
        (ValueError("bad\nand more"), "bad"),
        (RuntimeError("numpy.linalg.LinAlgError: singular"), "singular"),
        (TypeError("'NoneType' object is not iterable"), "it failed without a message"),
        (KeyError("layers"), "it failed without a message"),
        (ZeroDivisionError(), "it failed without a message"),
        (AttributeError("<thing object at 0x7f> has no name"), "it failed without a message"),
    ],
)
def test_an_error_in_words(error, expected):
    assert in_words(error) == expected
    expected_of_it = isinstance(error, DataError | MemoryError | OSError | ImportError)
    assert fault(error) == (expected if expected_of_it else f"an unexpected fault: {expected}")


def test_a_library_message_is_its_first_line_with_words():
    assert said("\n=====\n  ImportError: it is broken.\nmore") == "it is broken."
    assert said("cudaErrorNoDevice: none") == "cudaErrorNoDevice: none"
    assert said("") == said("\n \n") == ""


def test_values_are_printed_readably():
    import datetime

    assert printable(datetime.date(2020, 1, 2)) == "2020-01-02"
    assert printable([1, "a", {"b": [[[1]]]}]) == "[1, 'a', {b: […]}]"
    assert printable(object()) == "object"
    assert str(Mistake("epochs", datetime.time(7, 32), "a number")) == "epochs = 07:32:00: a number"
    assert str(ConfigError([Mistake("seed", {1, 2}, "a number")])) == "seed = set: a number"


def test_an_unexpected_error_is_one_line_or_a_traceback_with_tuisim_debug(capsys, monkeypatch, own_folder):
    def broken() -> int:
        raise ZeroDivisionError("nobody thought of this")

    for value in ("", "0"):
        monkeypatch.setenv("TUISIM_DEBUG", value)
        assert answered(broken) == ExitCode.RUN_FAILED
        line = f"tuisim: an unexpected fault: nobody thought of this (see {own_folder / 'tuisim.log'})\n"
        assert capsys.readouterr().err == line
        assert "in broken" in (own_folder / "tuisim.log").read_text()
    monkeypatch.setenv("TUISIM_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        answered(broken)


def test_an_unexpected_error_before_a_command_is_one_line(capsys, monkeypatch, own_folder):
    monkeypatch.setattr(program, "_run", lambda _: (_ for _ in ()).throw(ModuleNotFoundError("No module named 'textual'")))
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    assert program.main() == ExitCode.RUN_FAILED
    assert capsys.readouterr().err == f"tuisim: No module named 'textual' (see {own_folder / 'tuisim.log'})\n"


def test_a_library_warning_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(
        program, "_run", lambda _: warnings.showwarning(RuntimeWarning("X=\x1bx is odd\nand more"), RuntimeWarning, "", 1)
    )
    program.main()
    assert capsys.readouterr().err == "tuisim: X=\\x1bx is odd\n"


def test_only_the_console_prints():
    """Commands print JSON, or print through the console, which escapes control characters."""
    printing = []
    folder = Path(tuisim.cli.__file__).parents[1]
    for path in [*folder.glob("cli/*.py"), *folder.glob("features/**/command.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                what = ast.unparse(node.args[0])
                if not what.startswith("json.dumps(") and "visible(" not in what:
                    printing.append(f"{path.name}: {what}")
    assert printing == []
