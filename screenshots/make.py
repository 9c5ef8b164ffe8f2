"""Make the pictures of the README again, from real runs in a real terminal.

    python screenshots/make.py [NAME ...] [--size 120x36] [--out FOLDER]

Needs the `test` extra and a monospace font (Debian: fonts-dejavu-core; or name one in TUISIM_FONT). The pictures show the
program's own screen, cell by cell; braille and blocks are drawn here so that curves join up.
"""

from __future__ import annotations

import argparse
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


def choose_digits(terminal: Terminal) -> None:
    """Choose the second preset, once the first one's cost and time are shown."""
    terminal.wait_for("11,070")
    terminal.wait_for(" µs")
    terminal.press("right", "enter")
    terminal.read(0.7)


def setup(terminal: Terminal) -> None:
    terminal.wait_for("11,070")
    terminal.wait_for(" µs")
    terminal.read(0.7)


def run(terminal: Terminal) -> None:
    """Train the third preset, the spirals, for some seconds."""
    setup(terminal)
    terminal.press("right", "right", "enter")
    terminal.read(0.5)
    terminal.press("ctrl+r")
    terminal.wait_for("training")
    terminal.read(9)


def decision_map(terminal: Terminal) -> None:
    """Train the spirals for some seconds and show their decision map."""
    run(terminal)
    terminal.press("f4")
    terminal.read(0.5)
    terminal.press("tab")
    terminal.read(2)


def race(terminal: Terminal) -> None:
    """Race the digits' network on every backend, to the end."""
    choose_digits(terminal)
    terminal.press("f6")
    terminal.wait_for("finished", 60)
    terminal.read(0.5)


def volume(terminal: Terminal) -> None:
    """Choose the digits' network, ImageNet's 1.28 M examples and 90 epochs."""
    choose_digits(terminal)
    terminal.press("f8")
    terminal.read(1)
    for keys in (("e",), ("ctrl+u", "1281167"), ("tab",), ("ctrl+u", "90"), ("enter",)):
        terminal.press(*keys)
        terminal.read(0.5)


def page(key: str, seconds: float, *more: str) -> Callable[[Terminal], None]:
    """Return a player that opens a page, presses more keys, and waits until it has measured."""

    def play(terminal: Terminal) -> None:
        choose_digits(terminal)
        terminal.press(key)
        terminal.read(1)
        terminal.press(*more)
        terminal.read(seconds)

    return play


README = ("run", "setup", "map", "race", "volume", "answer")
"""Pictures that the README shows, and that are made unless others are named."""
SHOTS: dict[str, Callable[[Terminal], None]] = {
    "run": run,
    "setup": setup,
    "map": decision_map,
    "race": race,
    "volume": volume,
    "answer": page("f9", 9),
    "crossover": page("f6", 28, "tab"),
    "profile": page("f7", 9),
    "known": page("f8", 1, "tab"),
    "budget": page("f8", 3, "tab", "tab"),
    "proof": page("f9", 6, "tab"),
    "conventions": page("f9", 1, "tab", "tab"),
    "runs": page("f12", 2),
    "help": page("f1", 1),
}


KNOWN = ("30-30-30 --loss mse --batch-size 1", "64-32-10", "64-256-256-10 --batch-size 128", "784-128-10 --examples 2000")
"""Runs of which the page Runs has something to show."""


def know_this_machine(home: str) -> None:
    """Make a machine profile and some runs, as a user has them after a while."""
    os.environ["TUISIM_HOME"] = home
    subprocess.run([*APP, "calibrate"], check=True, stdout=subprocess.DEVNULL)
    for network in KNOWN:
        for backend in ("numpy", "numba"):
            command = [*APP, "run", *network.split(), "--backend", backend, "--epochs", "20"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pictures of the README again, or the ones that are named.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SHOTS))
    parser.add_argument("--size", default="120x36", help="columns and rows, 120x36")
    parser.add_argument("--out", type=Path, default=HERE, help="folder, else screenshots/")
    given = parser.parse_args()
    columns, rows = map(int, given.size.split("x"))
    with TemporaryDirectory() as home:
        know_this_machine(home)
        for name in given.names or README:
            draw(name, columns, rows, given.out)
            (Path(home) / "session.json").unlink(missing_ok=True)  # the next picture begins with the defaults


def draw(name: str, columns: int, rows: int, folder: Path) -> None:
    """Play one picture in a terminal of its own and save it."""
    with Terminal(APP, columns, rows) as terminal:
        SHOTS[name](terminal)
        picture(terminal).save(folder / f"{name}.png", optimize=True)
        terminal.press("ctrl+q")
        terminal.wait_end(3)
    print(f"{folder / name}.png {columns}×{rows}")


def font() -> ImageFont.FreeTypeFont:
    for name in filter(None, FONTS):
        try:
            return ImageFont.truetype(name, POINTS)
        except OSError:
            continue
    sys.exit("no monospace font found: install fonts-dejavu-core, or name a font file in TUISIM_FONT")


def picture(terminal: Terminal) -> Image.Image:
    """Return the terminal's screen as an image."""
    screen = terminal.screen
    image = Image.new("RGB", (screen.columns * CELL[0], screen.lines * CELL[1]), BACKGROUND)
    draw, face = ImageDraw.Draw(image), font()
    for row in range(screen.lines):
        for column in range(screen.columns):
            cell(draw, face, screen.buffer[row][column], column * CELL[0], row * CELL[1])
    return image


def cell(draw: ImageDraw.ImageDraw, face: ImageFont.FreeTypeFont, char: Char, x: int, y: int) -> None:
    """Draw one character with its colours."""
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
