"""Make the outputs of commands in the README and the manual again, from real runs: `python -m tests.manual [FILE ...]`.

The outputs are replaced in place. `--slow` also makes those that take minutes. The machine profile that predictions need is
measured first and kept in `--home`, so that a second call with the same folder is quick.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.outputs import FILES, made, outputs


def main() -> None:
    """Refresh the files that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.manual", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=list(FILES), metavar="FILE")
    parser.add_argument("--slow", action="store_true", help="also the outputs that take minutes")
    parser.add_argument("--only", metavar="WORDS", default="", help="only commands that contain these words")
    parser.add_argument("--home", type=Path, help="folder of the machine profile (TUISIM_HOME)")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        home = given.home or Path(folder)
        if not list(home.rglob("*.json")):
            calibrate = [sys.executable, "-m", "tuisim", "calibrate"]
            subprocess.run(calibrate, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "TUISIM_HOME": str(home)})
        for output in reversed(list(outputs(*given.files))):  # from the end on, so that earlier places stay
            if (given.slow or not output.slow) and given.only in output.command:
                print(output, flush=True)
                text = output.file.read_text(encoding="utf-8")
                end = output.start + len(output.text)
                new = text[: output.start] + made(output.command, home) + text[end:]
                output.file.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
