"""Processes killed at a random moment while they save without pause: nothing that was said to be kept may be lost or broken."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .tally import Tally

SAVER = """
import sys
from dataclasses import replace
from tuisim.store.runs import Run, append

run = Run(
    when="2026-01-01T00:00:00+00:00", machine="made", backend="numpy", threads=1, layers=(64, 32, 10), batch=32,
    dtype="float32", optimizer="sgd", loss="cross_entropy", steps=1, examples=32, operations_per_step=1000, bytes_per_step=1000,
    seconds=0.5, wall_seconds=1.0, predicted_seconds=None, predicted_wall_seconds=None, ended="completed",
)
first = int(sys.argv[1])
for number in range(first, first + 100_000):
    append(replace(run, steps=number))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""
READER = "from tuisim.store.runs import read; print(*(run.steps for run in read().runs))"


def run(tally: Tally, rng: random.Random) -> None:
    """Kill saver after saver in the same folder and read after each what it had been told is kept."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"TUISIM_HOME": home}
        told, following = 0, 1
        while tally.left > 3:
            saver = subprocess.Popen([sys.executable, "-c", SAVER, str(following)], stdout=subprocess.PIPE, env=environment)
            assert saver.stdout is not None
            saver.stdout.readline()
            time.sleep(rng.uniform(0, 0.2))
            saver.send_signal(signal.SIGKILL)
            saver.wait()
            rest = saver.stdout.read()
            saver.stdout.close()
            told = max((int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")), default=following)
            tally.counts["kills"] += 1
            tally.counts["saves"] += told - following + 1
            check(tally, environment, following, told)
            following = told + 2  # the one that was being saved may be there or not
        if left := [one.name for one in Path(home).iterdir() if ".tmp" in one.name]:
            tally.notes.append(f"{len(left)} temporary files left")


def check(tally: Tally, environment: dict[str, str], first: int, last: int) -> None:
    """Check that the saves from `first` to `last` are all there, as far as the file keeps so many."""
    done = subprocess.run([sys.executable, "-c", READER], capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        tally.fail(f"not readable: {done.stderr[-200:]}")
        return
    kept = list(map(int, done.stdout.split()))  # the oldest are dropped; what is kept has no holes
    lost = [number for number in range(max(first, min(kept, default=first)), last + 1) if number not in set(kept)]
    if lost:
        tally.fail(f"lost: {lost[:5]} of {first} to {last}")
