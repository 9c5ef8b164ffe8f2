"""A GPU lost in the middle of a run, in a real terminal: it is said, and ctrl+n goes on in a new process with the same form."""

import sys

import pytest

pytestmark = [pytest.mark.pty, pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")]
if sys.platform != "win32":
    from tests.support.terminal import Terminal

LOSING = """
import sys
from tuisim.engine import worker
from tuisim.errors import DeviceLost

def lost(*given, **options):
    raise DeviceLost("the GPU failed and this process can no longer use it (cudaErrorIllegalAddress); restart tuisim to continue")

worker.Trainer = lost
from tuisim.__main__ import main
sys.argv = ["tuisim"]
sys.exit(main())
"""


def test_a_lost_gpu_ends_the_run_and_a_new_process_continues():
    with Terminal([sys.executable, "-c", LOSING]) as terminal:
        terminal.wait_for("11,070")
        terminal.press("right", "enter")  # the digits preset
        terminal.wait_for("64-32-10")
        terminal.press("ctrl+r")
        terminal.wait_for("the GPU is lost")
        terminal.wait_for("ctrl+n restarts tuisim")
        terminal.press("ctrl+n")
        terminal.wait_for(lambda text: "64-32-10" in text and "ctrl+n" not in text and "start" in text.splitlines()[-1])
        terminal.press("ctrl+r")  # the new process is whole
        terminal.wait_for("● training")
        terminal.press("ctrl+q")
        assert terminal.wait_end(10) == 0
