"""Restart of the program with its form filled: a process that has lost its GPU cannot use it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tuisim.config import RunConfig
from tuisim.config.values import to_texts
from tuisim.errors import ConfigError

_VARIABLE = "TUISIM_FORM"
"""Passes the form's configuration to the next process, as JSON."""
_START = "import sys; sys.path.append(sys.argv.pop()); from tuisim.__main__ import main; sys.exit(main())"
"""Not `-m`, which would import modules from the current folder; a package that is not installed is found by its path."""
_FOUND = str(Path(__file__).parents[2])


def start(config: RunConfig | None) -> int:
    """Run the app in a new process, which on POSIX replaces this one, so that the call does not return."""
    environment = dict(os.environ)
    if config is not None:
        environment[_VARIABLE] = json.dumps(config.to_dict())
    command = [sys.executable, "-P", "-c", _START, _FOUND]
    if os.name == "posix":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, command, environment)  # noqa: S606
    return subprocess.call(command, env=environment)  # noqa: S603


def passed_config() -> RunConfig | None:
    """Return the configuration that the process before has passed; None if there is none, or if it cannot be read."""
    text = os.environ.pop(_VARIABLE, "")
    try:
        config = RunConfig(**json.loads(text)) if text else None
    except (ValueError, TypeError, RecursionError, ConfigError):
        return None
    # A path or a column's name goes onto the screen unchanged: none with control codes comes from a form.
    return config if config is not None and all(text.isprintable() for text in to_texts(config).values()) else None
