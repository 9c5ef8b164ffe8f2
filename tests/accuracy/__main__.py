"""Print the table as Markdown."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # where the tests find their own packages

from tests.accuracy.table import main

main()
