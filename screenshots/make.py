"""Make every picture of the README again, from real runs in a real terminal.

    python screenshots/make.py [NAME ...]

Needs the `test` extra and a monospace font (Debian: fonts-dejavu-core; or name one in TUISIM_FONT). The pictures are what a
terminal would show: the program's own screen, cell by cell; braille and blocks are drawn here so that curves join up.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw, ImageFont
from pyte.screens import Char

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.support.terminal import Terminal  # noqa: E402

CELL = (11, 22)
POINTS = 18
BACKGROUND, FOREGROUND = "#0d1117", "#d4d7dc"
FONTS = (
    os.environ.get("TUISIM_FONT", ""),
    "DejaVuSansMono.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "Menlo.ttc",
    "consola.ttf",
)
BRAILLE_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""(column, row) of each bit of a braille character."""
APP = [sys.executable, "-m", "tuisim"]


def settle(terminal: Terminal, seconds: float) -> None:
    terminal.read(seconds)


def start(terminal: Terminal, preset: str) -> None:
    """Choose a preset by its place in the row and start it."""
    terminal.wait_for("30-30-30")
    settle(terminal, 0.5)
    terminal.press(*["right"] * ("question", "digits", "spirals", "fashion", "large").index(preset), "enter")
    settle(terminal, 0.5)
    terminal.press("ctrl+r")
    terminal.wait_for("training")


def setup(terminal: Terminal) -> None:
    terminal.wait_for("11,070")
    terminal.wait_for(" µs")  # its time
    settle(terminal, 0.7)


def mistakes(terminal: Terminal) -> None:
    setup(terminal)
    terminal.press("down", "ctrl+u", "64-0-10")
    settle(terminal, 0.7)


def running(terminal: Terminal) -> None:
    start(terminal, "spirals")
    settle(terminal, 9)


def question(terminal: Terminal) -> None:
    start(terminal, "question")
    settle(terminal, 6)


def operations(terminal: Terminal) -> None:
    start(terminal, "digits")
    settle(terminal, 3)
    terminal.press("1")
    settle(terminal, 1)


def help_(terminal: Terminal) -> None:
    setup(terminal)
    terminal.press("escape", "?")
    settle(terminal, 0.7)


def page(key: str, seconds: float) -> Callable[[Terminal], None]:
    """One of the pages that lie over the setup screen, once it has measured what it measures."""

    def play(terminal: Terminal) -> None:
        setup(terminal)
        terminal.press(key)
        settle(terminal, seconds)

    return play


def digits_page(key: str, seconds: float) -> Callable[[Terminal], None]:
    """One of the pages over the setup screen of the digits."""

    def play(terminal: Terminal) -> None:
        setup(terminal)
        terminal.press("right", "enter")
        settle(terminal, 0.7)
        terminal.press(key)
        settle(terminal, seconds)

    return play


def hours(terminal: Terminal) -> None:
    """The network of the digits, at ImageNet's 1.28 M examples and 90 epochs."""
    digits_page("f9", 1)(terminal)
    terminal.press("right", "right", "right", "]")
    settle(terminal, 1)


def waterfall(terminal: Terminal) -> None:
    """Where the time of a real run of the digits went, paused after some seconds."""
    start(terminal, "digits")
    settle(terminal, 6)
    terminal.press("space")
    settle(terminal, 0.5)
    terminal.press("f8")
    settle(terminal, 8)


def race(terminal: Terminal) -> None:
    """The digits on every backend, to the end."""
    setup(terminal)
    terminal.press("right", "enter")
    settle(terminal, 0.7)
    terminal.press("f6")
    terminal.wait_for("finished", 60)
    settle(terminal, 0.5)


SHOTS: dict[str, tuple[int, int, Callable[[Terminal], None]]] = {
    "run": (120, 36, running),
    "setup": (120, 36, setup),
    "question": (120, 36, question),
    "run-80x24": (80, 24, running),
    "run-200x60": (200, 60, running),
    "setup-80x24": (80, 24, setup),
    "setup-200x60": (200, 60, setup),
    "mistake": (120, 36, mistakes),
    "operations": (120, 36, operations),
    "help": (120, 36, help_),
    "proof": (120, 36, page("f2", 6)),
    "answer": (120, 36, page("f3", 9)),
    "conventions": (120, 36, page("f4", 1)),
    "race": (120, 36, race),
    "crossover": (120, 36, page("f7", 28)),
    "where": (120, 36, waterfall),
    "hours": (120, 36, hours),
    "budget": (120, 36, digits_page("f10", 3)),
    "law": (120, 36, page("f12", 2)),
}


KNOWN = (
    "30-30-30 --loss mse --output-activation relu --batch-size 1", "64-32-10", "64-128-10", "64-256-256-10 --batch-size 128",
    "64-32-10 --batch-size 512", "300-300-300 --examples 2000", "784-128-10 --examples 2000", "20-500-5 --examples 4000",
)  # fmt: skip
"""Runs that the cost law of its picture is fitted to."""


def know_this_machine(home: str) -> None:
    """A machine card, and some runs: what a person has after a while."""
    os.environ["TUISIM_HOME"] = home
    subprocess.run([*APP, "calibrate"], check=True, stdout=subprocess.DEVNULL)
    for network in KNOWN:
        for backend in ("numpy", "numba"):
            command = [*APP, "run", *network.split(), "--backend", backend, "--epochs", "20"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    with TemporaryDirectory() as home:
        know_this_machine(home)
        draw(sys.argv[1:] or list(SHOTS))


def draw(names: list[str]) -> None:
    for name in names:
        columns, rows, play = SHOTS[name]
        with Terminal(APP, columns, rows) as terminal:
            play(terminal)
            picture(terminal).save(HERE / f"{name}.png", optimize=True)
            terminal.press("ctrl+q")
            terminal.wait_end(3)
        print(f"screenshots/{name}.png {columns}×{rows}")


def font() -> ImageFont.FreeTypeFont:
    for name in filter(None, FONTS):
        try:
            return ImageFont.truetype(name, POINTS)
        except OSError:
            continue
    sys.exit("no monospace font found: install fonts-dejavu-core, or name a font file in TUISIM_FONT")


def picture(terminal: Terminal) -> Image.Image:
    """The terminal's screen as an image."""
    screen = terminal.screen
    image = Image.new("RGB", (screen.columns * CELL[0], screen.lines * CELL[1]), BACKGROUND)
    draw, face = ImageDraw.Draw(image), font()
    for row in range(screen.lines):
        for column in range(screen.columns):
            cell(draw, face, screen.buffer[row][column], column * CELL[0], row * CELL[1])
    return image


def cell(draw: ImageDraw.ImageDraw, face: ImageFont.FreeTypeFont, char: Char, x: int, y: int) -> None:
    """One character with its colours."""
    width, height = CELL
    ink, paper = colour(char.fg, FOREGROUND), colour(char.bg, BACKGROUND)
    if char.reverse:
        ink, paper = paper, ink
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=paper)
    code = ord(char.data[0]) if char.data else 32
    if 0x2800 < code < 0x2900:
        for bit, (dx, dy) in enumerate(BRAILLE_DOTS):
            if (code - 0x2800) >> bit & 1:
                left, top = x + 2 + dx * width // 2, y + 1 + dy * height // 4
                draw.rectangle((left, top, left + 2, top + 2), fill=ink)
    elif 0x2581 <= code <= 0x2588:
        draw.rectangle((x, y + height - height * (code - 0x2580) // 8, x + width - 1, y + height - 1), fill=ink)
    elif 0x2589 <= code <= 0x258F:
        draw.rectangle((x, y, x + width * (0x2590 - code) // 8 - 1, y + height - 1), fill=ink)
    elif code == 0x2580:
        draw.rectangle((x, y, x + width - 1, y + height // 2 - 1), fill=ink)
    elif char.data.strip():
        bold = 1 if char.bold else 0
        draw.text((x, y), char.data, font=face, fill=ink, stroke_width=0)
        if bold:
            draw.text((x + 1, y), char.data, font=face, fill=ink)
    if char.underscore:
        draw.line((x, y + height - 2, x + width - 1, y + height - 2), fill=ink)


def colour(name: str, default: str) -> str:
    if name == "default":
        return default
    named = {"black": "#000000", "red": "#cd3131", "green": "#0dbc79", "brown": "#e5e510", "blue": "#2472c8"}
    return named.get(name, f"#{name}" if len(name) == 6 else default)


if __name__ == "__main__":
    main()
