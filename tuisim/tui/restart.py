"""The program started anew in this one's place, its form filled as it was: what a process that has lost its GPU can still do.

It does not know why.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tuisim.config import RunConfig
from tuisim.errors import ConfigError

_VARIABLE = "TUISIM_FORM"
"""Carries the form's configuration from one process to the next, as JSON."""
_START = "import sys; sys.path.append(sys.argv.pop()); from tuisim.__main__ import main; sys.exit(main())"
"""Not `-m`, which would take modules from the folder that the app was started in; what is not installed is found where it was."""
_FOUND = str(Path(__file__).parents[2])


def start(config: RunConfig | None) -> int:
    """Run the app in a new process; where the system can, it takes this one's place and this never returns."""
    environment = dict(os.environ)
    if config is not None:
        environment[_VARIABLE] = json.dumps(config.to_dict())
    command = [sys.executable, "-P", "-c", _START, _FOUND]
    if os.name == "posix":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(sys.executable, command, environment)  # noqa: S606
    return subprocess.call(command, env=environment)  # noqa: S603


def handed_down() -> RunConfig | None:
    """What the process before left for the form; none where there was none, or where this version cannot read it."""
    text = os.environ.pop(_VARIABLE, "")
    try:
        config = RunConfig(**json.loads(text)) if text else None
    except (ValueError, TypeError, RecursionError, ConfigError):
        return None
    # A path goes onto the screen as it is: none with control codes comes from a form.
    printable = config is not None and all(word is None or word.isprintable() for word in (config.dataset, config.target))
    return config if printable else None
