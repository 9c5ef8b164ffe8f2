"""The two themes of the app, and the colours of phases, series and health.

The accents are Okabe and Ito's, which colour-blind people can tell apart, lightened or darkened until they can be read on
their background. Widgets name them as `$phase-forward` and so on.
"""

from __future__ import annotations

from textual.theme import Theme

DARK_MEANINGS = {
    "phase-data": "#9AA7B4",
    "phase-forward": "#56B4E9",
    "phase-loss": "#F0E442",
    "phase-backward": "#E69F00",
    "phase-update": "#2FBF97",
    "series-train": "#E8EEF4",
    "series-validation": "#D98BB6",
    "health-bad": "#FF7A5C",
    "text-quiet": "#72818F",
}
LIGHT_MEANINGS = {
    "phase-data": "#5B6773",
    "phase-forward": "#0067A3",
    "phase-loss": "#7A6200",
    "phase-backward": "#A34A00",
    "phase-update": "#00704F",
    "series-train": "#1B242D",
    "series-validation": "#9B3C77",
    "health-bad": "#B3261E",
    "text-quiet": "#6A7681",
}
"""The colours of phases, series and health in dark and in light themes that do not define them."""


DARK = Theme(
    name="tuisim-dark",
    primary="#56B4E9",
    secondary="#8795A3",
    accent="#56B4E9",
    foreground="#D6DEE7",
    background="#0E1318",
    surface="#161D25",
    panel="#1E2731",
    warning="#E69F00",
    error="#FF7A5C",
    success="#2FBF97",
    dark=True,
    variables={
        **DARK_MEANINGS,
        "border": "#56B4E9",
        "border-blurred": "#33404D",
        "block-cursor-background": "#56B4E9",
        "block-cursor-foreground": "#0E1318",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#2A3642",
        "block-cursor-blurred-foreground": "#D6DEE7",
        "block-cursor-blurred-text-style": "none",
        "footer-background": "#161D25",
        "footer-key-foreground": "#56B4E9",
        "input-cursor-background": "#56B4E9",
        "input-cursor-foreground": "#0E1318",
        "input-selection-background": "#56B4E9 35%",
        "button-color-foreground": "#0E1318",
        "scrollbar": "#33404D",
        "scrollbar-hover": "#56B4E9",
        "scrollbar-active": "#56B4E9",
        "scrollbar-background": "#0E1318",
        "scrollbar-background-hover": "#0E1318",
        "scrollbar-background-active": "#0E1318",
    },
)

LIGHT = Theme(
    name="tuisim-light",
    primary="#0067A3",
    secondary="#5B6773",
    accent="#0067A3",
    foreground="#1B242D",
    background="#F5F7F9",
    surface="#E9EDF1",
    panel="#DDE3E9",
    warning="#A34A00",
    error="#B3261E",
    success="#00704F",
    dark=False,
    variables={
        **LIGHT_MEANINGS,
        "border": "#0067A3",
        "border-blurred": "#B9C3CD",
        "block-cursor-background": "#0067A3",
        "block-cursor-foreground": "#FFFFFF",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#C9D3DC",
        "block-cursor-blurred-foreground": "#1B242D",
        "block-cursor-blurred-text-style": "none",
        "footer-background": "#E9EDF1",
        "footer-key-foreground": "#0067A3",
        "input-cursor-background": "#0067A3",
        "input-cursor-foreground": "#FFFFFF",
        "input-selection-background": "#0067A3 25%",
        "button-color-foreground": "#FFFFFF",
        "scrollbar": "#B9C3CD",
        "scrollbar-hover": "#0067A3",
        "scrollbar-active": "#0067A3",
        "scrollbar-background": "#F5F7F9",
        "scrollbar-background-hover": "#F5F7F9",
        "scrollbar-background-active": "#F5F7F9",
    },
)
