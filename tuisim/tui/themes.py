"""The two themes of the app, and the colours of phases, series and health.

The accents are Okabe and Ito's, which colour-blind people can tell apart, lightened or darkened until they can be read on
their background. Widgets name them as `$phase-forward` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.color import BLACK, WHITE, Color
from textual.theme import Theme

MIN_CONTRAST = 3.0
"""Minimum contrast of words and lines with what is behind them (WCAG 2.2, 1.4.11)."""
TEXT_COLOURS = (
    "foreground", "secondary", "accent", "success", "warning", "error", "footer-key-foreground"
)  # fmt: skip
BACKGROUNDS = ("background", "surface", "panel")

DARK_COLOURS = {
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
LIGHT_COLOURS = {
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


def contrast(first: Color, second: Color) -> float:
    """Return the contrast of two opaque colours, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour.normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def readable(colour: Color, backgrounds: Sequence[Color], least: float = MIN_CONTRAST) -> Color:
    """Return the colour, lightened or darkened until its contrast with every background is at least `least`."""
    ends = sorted((WHITE, BLACK), key=lambda end: -min(contrast(end, background) for background in backgrounds))
    steps = (colour.blend(ends[0], step / 20, 1) for step in range(20))
    return next((one for one in steps if min(contrast(one, background) for background in backgrounds) >= least), ends[0])


def readable_variables(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables of a theme with every colour of text readable; the colours of a terminal's own theme stay."""
    parsed = {name: Color.parse(variables[name]) for name in (*BACKGROUNDS, *TEXT_COLOURS, *DARK_COLOURS) if name in variables}
    if any(parsed[name].ansi is not None for name in BACKGROUNDS):
        return variables
    backgrounds = [parsed[name] for name in BACKGROUNDS]
    found = {
        name: readable(parsed[name], backgrounds).hex
        for name in (*TEXT_COLOURS, *DARK_COLOURS)
        if name in parsed and parsed[name].a == 1 and parsed[name].ansi is None
    }
    return variables | found


def _theme(
    name: str, meanings: dict[str, str], *, dark: bool, secondary: str, foreground: str, background: str, surface: str,
    panel: str, line: str, on_accent: str, blurred: str, selection: int,
) -> Theme:  # fmt: skip
    """Return a theme whose accent is the colour of the forward phase.

    `line` is the colour of borders and scrollbars, `on_accent` that of text on the accent, `blurred` the background of a cursor
    without the focus, `selection` the opacity of selected text's background in percent.
    """
    accent = meanings["phase-forward"]
    return Theme(
        name=name,
        primary=accent,
        secondary=secondary,
        accent=accent,
        foreground=foreground,
        background=background,
        surface=surface,
        panel=panel,
        warning=meanings["phase-backward"],
        error=meanings["health-bad"],
        success=meanings["phase-update"],
        dark=dark,
        variables={
            **meanings,
            "border": accent,
            "border-blurred": line,
            "block-cursor-background": accent,
            "block-cursor-foreground": on_accent,
            "block-cursor-text-style": "none",
            "block-cursor-blurred-background": blurred,
            "block-cursor-blurred-foreground": foreground,
            "block-cursor-blurred-text-style": "none",
            "footer-background": surface,
            "footer-key-foreground": accent,
            "input-cursor-background": accent,
            "input-cursor-foreground": on_accent,
            "input-selection-background": f"{accent} {selection}%",
            "button-color-foreground": on_accent,
            "scrollbar": line,
            **dict.fromkeys(("scrollbar-hover", "scrollbar-active"), accent),
            **dict.fromkeys((f"scrollbar-background{of}" for of in ("", "-hover", "-active")), background),
        },
    )


DARK = _theme(
    "tuisim-dark", DARK_COLOURS, dark=True, secondary="#8795A3", foreground="#D6DEE7", background="#0E1318", surface="#161D25",
    panel="#1E2731", line="#33404D", on_accent="#0E1318", blurred="#2A3642", selection=35,
)  # fmt: skip
LIGHT = _theme(
    "tuisim-light", LIGHT_COLOURS, dark=False, secondary="#5B6773", foreground="#1B242D", background="#F5F7F9",
    surface="#E9EDF1", panel="#DDE3E9", line="#B9C3CD", on_accent="#FFFFFF", blurred="#C9D3DC", selection=25,
)  # fmt: skip
