"""`tuisim profile`: the operations of one step, their roofline, and the waterfall of the step's time."""

from __future__ import annotations

from typing import Any

from tuisim.cli.console import ProgressLine, print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.errors import ExitCode
from tuisim.features.profile.roofline import roofline
from tuisim.features.profile.step_profile import StepProfile, profile_step
from tuisim.features.profile.view import ProfileState, page
from tuisim.features.profile.waterfall import TimeBreakdown, waterfall


def profile(layers: Layers = None, *, options: RunOptions = NOTHING_GIVEN, config: ConfigFile = None, json_: Json = False) -> int:
    """Time the operations of one step, compare them with this machine's roofs, and divide the time from the peak down."""
    with ProgressLine() as line:
        found = profile_step(resolve(layers, options, config), lambda done: line.show(f"profiling the step {done:.0%}"))
    print_result(json_, lambda: document(found), lambda frame: page(ProfileState(found.config, found), frame))
    return ExitCode.DONE


def document(found: StepProfile) -> dict[str, Any]:
    """Return what `--json` prints: the profile, with the roofline and the waterfall of the step by itself."""
    whole = found.to_dict()
    parts = {"roofline": roofline(found).to_dict(), "waterfall": waterfall(found, TimeBreakdown.of_step(found)).to_dict()}
    marks = dict(whole["marks"])
    for name, part in parts.items():
        marks |= {f"{name}.{path}": mark for path, mark in part.pop("marks").items()}
    return {**whole, **parts, "marks": marks}
