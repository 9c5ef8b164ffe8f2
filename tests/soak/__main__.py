"""`python -m tests.soak [PART …]`: the long attacks, each for so many seconds; prints what was tried and what failed.

Parts: starts (signals at every millisecond of a start), storms (keys, mouse, pastes, sizes while training), kills (kill -9
while saving), growth (memory over many runs), jumps (earlier steps of a run restored). Its exit code is 1 where anything
failed.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # where the pseudo-terminal of the tests is

from . import growth, jumps, kills, starts, storms
from .tally import Tally

DEFAULT_SECONDS = 75.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, help="for each part (default %(default)s)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="default: another one each time")
    parser.add_argument("--every", type=float, default=1.0, help="milliseconds between two moments of a start (default 1)")
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}", flush=True)
    failed = 0
    for name in given.parts or PARTS:
        tally = Tally(name, given.seconds)
        part: Callable[..., None] = PARTS[name]
        if name == "starts":
            part = partial(part, every=given.every)
        part(tally, random.Random(given.seed))
        print("\n".join(tally.lines()), flush=True)
        failed += len(tally.failures)
    return 1 if failed else 0


PARTS: dict[str, Callable[..., None]] = {
    "starts": starts.run,
    "storms": storms.run,
    "kills": kills.run,
    "growth": growth.run,
    "jumps": jumps.run,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
