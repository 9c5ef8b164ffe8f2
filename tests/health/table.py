"""The table of the rules in the manual: how many runs with the fault and without it each one judges rightly."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import tuisim
from tests.health.cases import TRIALS, Trial

PAGE = Path(tuisim.__file__).parent / "manual" / "hints.md"
OTHER_SEED = 100
"""Added to every seed for the columns of runs that played no part in the choice of the thresholds."""
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def right(trial: Trial, *, faulty: bool, seed: int = 0) -> list[bool]:
    """Return for each run with the fault, or without it, whether the rule judges it rightly."""
    return [(trial.rule(case.reading(seed)) is not None) is faulty for case in (trial.faulty if faulty else trial.sound)]


def rows() -> list[str]:
    """Return the table as lines of Markdown."""
    lines = ["| rule | with the fault | without | other seeds: with | without |", "|---|--:|--:|--:|--:|"]
    for make in TRIALS.values():
        trial = make()
        cells = [right(trial, faulty=faulty, seed=seed) for seed in (0, OTHER_SEED) for faulty in (True, False)]
        lines.append(f"| `{trial.name}` | " + " | ".join(f"{sum(cell)} of {len(cell)}" for cell in cells) + " |")
    return lines


def written() -> list[str]:
    """Return the lines of the table that stands in the manual."""
    found = _TABLE.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    return found[0].strip().splitlines()


def main() -> None:
    """Run every case and write the table."""
    warnings.simplefilter("ignore")
    table = "\n".join(rows()) + "\n"
    PAGE.write_text(_TABLE.sub(lambda _: table, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(table, end="")
