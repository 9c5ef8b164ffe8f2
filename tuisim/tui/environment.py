"""The environment variables that Textual reads and would end with a traceback for, checked before it starts."""

from __future__ import annotations

import importlib
import inspect
import os

from rich.console import COLOR_SYSTEMS
from textual.driver import Driver

from tuisim import files
from tuisim.errors import Mistake, in_words, printable


def mistakes() -> list[Mistake]:
    """Each variable whose value cannot be used."""
    found: list[Mistake] = []
    for name, check in (("TEXTUAL_DRIVER", _driver), ("TEXTUAL_COLOR_SYSTEM", _color_system), ("TEXTUAL_LOG", _log)):
        value = os.environ.get(name)
        if value is not None and (remedy := check(value)):
            found.append(Mistake(name, value, remedy))
    return found


def _driver(value: str) -> str:
    module, _, symbol = value.partition(":")
    try:
        driver = getattr(importlib.import_module(module), symbol)
    except Exception as error:  # importing may fail in any way
        return f"cannot be imported ({printable(in_words(error), 100)}): unset it, or name a driver as module:Class"
    if inspect.isclass(driver) and issubclass(driver, Driver):
        return ""
    return "is not a Textual driver: unset it, or name one as module:Class"


def _color_system(value: str) -> str:
    return "" if value == "auto" or value in COLOR_SYSTEMS else f"unset it, or use one of auto, {', '.join(COLOR_SYSTEMS)}"


def _log(value: str) -> str:
    """Textual adds to the file again and again, and would wait for a pipe."""
    try:
        os.close(files.descriptor(value, os.O_WRONLY | os.O_APPEND | os.O_CREAT))
    except (OSError, ValueError) as error:
        return f"cannot be written to ({printable(in_words(error), 100)}): unset it, or name a file"
    return ""
