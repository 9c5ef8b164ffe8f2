"""Write the table of the rules into the manual."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # where the tests find their own packages

from tests.health.table import main

main()
