"""`tuisim manual`: print a page of the manual."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter
from rich.markdown import Markdown
from rich.table import Table

from tuisim.cli.console import CommandConsole
from tuisim.features.manual import pages, read


def manual(page: Annotated[str | None, Parameter(help="Name of a page; without one, the list of pages")] = None) -> int:
    """Print a page of the manual, or the list of its pages."""
    console = CommandConsole(120)
    if page is None:
        table = Table(box=None, pad_edge=False, show_header=False)
        for one in pages():
            table.add_row(one.name, one.summary)
        console.print(table)
    elif console.is_terminal:
        console.print(Markdown(read(page)))
    else:
        sys.stdout.write(read(page))
    return 0
