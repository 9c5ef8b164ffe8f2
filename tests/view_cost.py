"""What the view costs: examples per second with the app open in a real terminal over headless, in turn, in one run.

    python tests/view_cost.py [--rounds 15] [--seconds 3] [--page diagram] [--json]

Each round runs a network in the app in a 120×36 pseudo-terminal, between two headless runs, all with one BLAS thread, and
compares examples per second of wall time with the mean of the two: a shared machine drifts by more than what is asked
for. `--page` opens a page of Inspect over the run. Many short rounds and their median say more than few long ones. The
view's processor time is the process's without its training thread's. A person runs this; the tests do not, because what
it measures belongs to the machine.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from statistics import mean, median, quantiles
from typing import Any

from tuisim import RunConfig, Trainer
from tuisim.backends.numpy.blas import blas
from tuisim.engine import Control

COLUMNS, ROWS = 120, 36
WARM_UP = 2.0
CASES = {
    "64-32-10 b32": RunConfig(layers=(64, 32, 10), dataset="digits", epochs=None, threads=1),
    "784-512-512-10 b128": RunConfig(
        layers=(784, 512, 512, 10), dataset="teacher", batch_size=128, learning_rate=0.05, epochs=None, threads=1
    ),
}
TARGETS = {"64-32-10 b32": 0.90, "784-512-512-10 b128": 0.95}
FRAMES_PER_SECOND = 10


def headless(case: str, seconds: float) -> dict[str, float]:
    control = Control()
    timer = threading.Timer(seconds, control.stop)
    trainer = Trainer(CASES[case])
    timer.start()
    summary = trainer.run(control=control)
    return {"examples_per_second": summary.examples_seen / summary.wall_seconds}


def in_app(case: str, seconds: float, page: str) -> dict[str, float]:
    """Run the app on this terminal, start the case, and measure it once it has settled."""
    from tuisim.features.setup.screen import SetupScreen
    from tuisim.tui.app import TuisimApp

    app = TuisimApp(CASES[case])
    found: dict[str, float] = {}

    def reading() -> tuple[float, float, float, int]:
        training = next(thread for thread in threading.enumerate() if thread.name == "tuisim-training")
        assert training.ident is not None
        own = time.clock_gettime(time.pthread_getcpuclockid(training.ident))
        snapshot = app.worker.snapshot
        return snapshot.wall_seconds, time.process_time() - own, time.perf_counter(), snapshot.examples_seen

    def measure() -> None:
        while app.worker is None:
            time.sleep(0.1)
            if app.screen_stack and isinstance(app.screen, SetupScreen) and app.screen.is_running:
                app.call_from_thread(app.screen.action_start)
        while app.worker is None or app.worker.snapshot is None or app.worker.snapshot.step == 0:
            time.sleep(0.05)
        if page:
            app.call_from_thread(app.action_open, page)
        time.sleep(WARM_UP)
        wall, view, clock, examples = reading()
        time.sleep(seconds)
        wall_end, view_end, clock_end, examples_end = reading()
        share = (view_end - view) / (clock_end - clock)
        found["examples_per_second"] = (examples_end - examples) / (wall_end - wall)
        found["view_share_of_a_core"] = share
        found["milliseconds_per_frame"] = share / FRAMES_PER_SECOND * 1e3
        app.call_from_thread(app.exit)

    threading.Thread(target=measure, daemon=True).start()
    app.run()
    return found


def in_terminal(case: str, seconds: float, page: str) -> dict[str, float]:
    """`in_app` in a pseudo-terminal of its own that is read as a terminal would."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as result:
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(
                sys.executable,
                [sys.executable, __file__, "--child", case, "--seconds", str(seconds), "--page", page, "--out", result.name],
            )
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        while True:
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    if not os.read(terminal, 1 << 16):
                        break
                except OSError:
                    break
        os.waitpid(pid, 0)
        return dict(json.load(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--page", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child")
    parser.add_argument("--headless")
    parser.add_argument("--out")
    options = parser.parse_args()
    if options.child:
        found = in_app(options.child, options.seconds, options.page)
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(found, file)
        return
    if options.headless:
        print(json.dumps(headless(options.headless, options.seconds)))
        return
    report = {case: _case(case, options.rounds, options.seconds, options.page) for case in CASES}
    if options.json:
        print(json.dumps(report))
        return
    for case, figures in report.items():
        print(
            f"{case:<22} app/headless {figures['ratio']:.3f} (wanted {TARGETS[case]:.2f}; quartiles {figures['quartiles']})   "
            f"view {100 * figures['view_share_of_a_core']:.1f} % of a core, {figures['milliseconds_per_frame']:.2f} ms a frame   "
            f"headless {figures['headless']:,.0f} examples/s"
        )
    kernel = blas()
    print(f"measured at {COLUMNS}×{ROWS}, one BLAS thread, {kernel}" + (f", {kernel.pinned_by}" if kernel.pinned_by else ""))


def _case(case: str, rounds: int, seconds: float, page: str) -> dict[str, Any]:
    ratios, shares = [], []
    alone = [_alone(case, seconds)]
    for _ in range(rounds):
        shown = in_terminal(case, seconds, page)
        alone.append(_alone(case, seconds))
        ratios.append(shown["examples_per_second"] / mean(alone[-2:]))
        shares.append(shown["view_share_of_a_core"])
    share = median(shares)
    return {
        "ratio": median(ratios),
        "quartiles": [round(cut, 4) for cut in quantiles(ratios, n=4)[::2]] if rounds > 1 else [],
        "view_share_of_a_core": share,
        "milliseconds_per_frame": share / FRAMES_PER_SECOND * 1e3,
        "headless": median(alone),
    }


def _alone(case: str, seconds: float) -> float:
    command = [sys.executable, __file__, "--headless", case, "--seconds", str(seconds)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(out)["examples_per_second"])


if __name__ == "__main__":
    main()
