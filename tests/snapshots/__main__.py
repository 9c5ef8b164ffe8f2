"""Write the snapshots of all screens, or of those whose names are given, and delete the files of no screen."""

from __future__ import annotations

import asyncio
import sys

from tests.snapshots.capture import FOLDER, path, pictures, sizes
from tests.support.screens import SCREENS, SMALL


def main() -> None:
    """Update the files and name each one that has changed."""
    known = {screen.name: screen for screen in (*SCREENS, SMALL)}
    if unknown := set(sys.argv[1:]) - set(known):
        sys.exit(f"no such screen: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    for name in sys.argv[1:] or known:
        for size, picture in asyncio.run(pictures(known[name])).items():
            file, text = path(name, size), picture.text()
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                file.write_text(text, encoding="utf-8", newline="\n")
                print(file.name)
    for file in set(FOLDER.glob("*.txt")) - {path(name, size) for name, one in known.items() for size in sizes(one)}:
        print(f"{file.name} deleted")
        file.unlink()


if __name__ == "__main__":
    main()
