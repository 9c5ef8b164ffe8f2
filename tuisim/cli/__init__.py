"""The command line: one function per command; stdout is data, stderr has messages."""

from tuisim.cli.app import main

__all__ = ["main"]
