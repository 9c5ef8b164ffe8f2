"""What the command palette offers beside the keys: presets and the app's own themes.

It names what can be asked for; what happens then is the app's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from textual.app import SystemCommand

from tuisim.config.presets import Preset
from tuisim.tui.themes import DARK, LIGHT


def commands(presets: Sequence[Preset], choose: Callable[[str], Any], theme: Callable[[str], Any]) -> Iterable[SystemCommand]:
    """One command for each preset and each theme of our own."""
    for preset in presets:
        yield SystemCommand(f"Preset: {preset.name}", preset.description, partial(choose, preset.name))
    yield SystemCommand("Theme: dark", "Light on dark", partial(theme, DARK.name))
    yield SystemCommand("Theme: light", "Dark on light", partial(theme, LIGHT.name))
