"""The command line: one function per command; stdout is data, stderr is talk."""

from tuisim.cli.app import main

__all__ = ["main"]
