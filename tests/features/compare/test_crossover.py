"""The crossover: cells, the sweep, the rule in words, the documents and the command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from tests.support.provenance import unmarked
from tuisim import RunConfig, count
from tuisim.backends.numpy import NumpyBackend
from tuisim.cli import main
from tuisim.engine.job import Job
from tuisim.errors import BackendError, ConfigError, ExitCode
from tuisim.features.compare import entries
from tuisim.features.compare.crossover import sweep
from tuisim.features.compare.crossover.cell import TIE, Cell, figures
from tuisim.features.compare.crossover.result import Crossover
from tuisim.features.compare.crossover.rule import OPERATIONS, PRODUCT, Rule, factor_text, rule
from tuisim.features.compare.crossover.screen import CrossoverScreen
from tuisim.features.compare.crossover.sweep import (
    MAX_ROUNDS,
    MIN_ROUNDS,
    ROUND_SECONDS,
    WARM_UP_STEPS,
    Sweep,
    SweepProgress,
)
from tuisim.features.compare.crossover.view import CrossoverState, cell_text, map_lines, short_names
from tuisim.features.compare.entries import BackendEntry, pairs
from tuisim.provenance import Provenance
from tuisim.terminal.lines import Frame, text
from tuisim.tui.context import PageContext

NET = RunConfig(layers=(30, 30, 30), threads=1)
PAIR = (BackendEntry("numpy", 1), BackendEntry("numpy", 2))
NAMES = ("numpy@1", "numpy@2")
Speed = Callable[[int, int, int], float]
"""Seconds of a step: (0 or 1, width, batch)."""


class Clock:
    """A clock that advances only during work."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """A step that takes as long as it is told; every round of one is `wobble` slower or faster than the last."""

    def __init__(self, clock: Clock, seconds: float, wobble: float = 0.0) -> None:
        self.single, self._clock, self._wobble, self._round = seconds, clock, wobble, 0
        clock.now += WARM_UP_STEPS * seconds

    def timed(self) -> float:
        self._clock.now += max(ROUND_SECONDS, self.single)
        self._round += 1
        return self.single * (1 + self._wobble * (-1) ** self._round)


def scripted(speed: Speed, seconds: float = 100.0, wobble: float = 0.0, **more: Any) -> Sweep:
    clock = Clock()

    def make(config: RunConfig, batch: int, like: Any) -> Any:
        which = 0 if like is None else 1
        return Scripted(clock, speed(which, config.layers[0], batch), wobble * which)

    return Sweep(NET, PAIR, seconds, make=make, clock=clock, **more)


def beyond(width: int, batch: int) -> Speed:
    """The first is fixed at 1 ms; the second wins by two from this product on, and loses by four below."""
    return lambda which, w, b: 1e-3 if which == 0 else 5e-4 if w * b >= width * batch else 4e-3


def operations(width: int, batch: int) -> int:
    return count(replace(NET, layers=(width,) * 3, batch_size=batch)).step_total.total


def by_size(found: Crossover) -> dict[tuple[int, int], Cell]:
    return {cell.size: cell for cell in found.cells}


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread limits are set for steps that are only scripted."""
    monkeypatch.setattr(NumpyBackend, "threads", lambda self, count: nullcontext())


# ── a cell ──


def test_a_cell_has_a_winner_if_the_spread_excludes_1():
    won = figures(([1.0, 1.0, 1.0], [2.0, 2.2, 1.9]), NAMES)
    assert won["winner"] == "numpy@1"
    assert won["ratio"] == 2.0
    assert won["ratio_spread"] == pytest.approx(0.15)
    assert won["seconds"] == (1.0, 2.0)
    assert won["rounds"] == 3
    assert figures(([2.0, 2.2, 1.9], [1.0, 1.0, 1.0]), NAMES)["winner"] == "numpy@2"
    assert figures(([1.0, 1.0, 1.0], [1.2, 0.9, 1.1]), NAMES)["winner"] == TIE
    assert figures(([1.0] * 3, [1.02] * 3), NAMES)["winner"] == TIE  # alike, however steady
    assert figures(([1.0] * 3, [1.04] * 3), NAMES)["winner"] == "numpy@1"
    assert figures(([1.04] * 3, [1.0] * 3), NAMES)["winner"] == "numpy@2"


def test_the_ratio_is_taken_within_each_round():
    """A machine that slows down for both in one round changes no ratio."""
    assert figures(([1.0, 9.0, 1.0], [1.5, 13.5, 1.5]), NAMES)["ratio_spread"] == 0.0


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1.04, "1.04"), (1.094, "1.09"), (1.1, "1.1"), (9.94, "9.9"), (9.96, "10"), (24.4, "24"), (999.4, "999"), (1_234, "1.2k"),
     (45_678, "46k"), (456_789, "457k")],
)  # fmt: skip
def test_a_factor_is_written_in_four_characters(factor, words):
    assert factor_text(factor) == words
    assert len(words) <= 4


def test_short_names_differ():
    assert short_names((BackendEntry("numpy", None), BackendEntry("numba", 2))) == ("np", "nb")
    assert short_names((BackendEntry("numpy", 1), BackendEntry("numpy", 16))) == ("@1", "@16")
    assert short_names((BackendEntry("numpy", None), BackendEntry("numpy", 2))) == ("nu", "@2")


def test_a_cell_in_a_few_characters():
    labels = {"numpy@1": "@1", "numpy@2": "@2"}
    cell = Cell(8, 1, 100, winner="numpy@2", ratio=0.125)
    assert cell_text(cell, labels) == "@2 8.0×"
    assert cell_text(cell, labels, sign="", gap="") == "@28.0"
    assert cell_text(cell, labels, figure=False) == "@2"
    assert cell_text(replace(cell, winner=TIE), labels) == "="
    assert cell_text(Cell(8, 1, 100, reason="left out"), labels) == ""
    assert cell_text(Cell(8, 1, 100, reason="gone", failed=True), labels) == "✗"


# ── the sweep ──


def test_cells_are_measured_in_ascending_order_of_operations():
    told: list[SweepProgress] = []
    found = scripted(beyond(64, 4), widths=(64, 8, 16), batches=(1, 16)).run(told.append)
    asked = [cell for cell in found.cells if not cell.in_between]
    assert {cell.size for cell in asked} == {(w, b) for w in (8, 16, 64) for b in (1, 16)}
    assert [cell.operations for cell in found.cells] == sorted(cell.operations for cell in found.cells)
    for cell in found.cells:
        assert cell.operations == operations(cell.width, cell.batch)
        assert cell.rounds == MAX_ROUNDS
        assert cell.winner == ("numpy@2" if cell.width * cell.batch >= 256 else "numpy@1")
        assert cell.seconds == (1e-3, 5e-4 if cell.winner == "numpy@2" else 4e-3)
        assert cell.ratio == pytest.approx(0.5 if cell.winner == "numpy@2" else 4.0)
    begun = [one.now for one in told if one.now]
    assert [size for size in begun if size in {cell.size for cell in asked}] == [cell.size for cell in asked]
    assert told[0].measured == 0
    assert told[-1].measured == len(found.cells)
    assert told[1].latest == begun[0]


def test_sizes_in_between_are_measured_where_the_winner_changes():
    found = scripted(beyond(96, 128), widths=(32, 64, 128), batches=(64, 256)).run()
    between = {cell.size for cell in found.cells if cell.in_between}
    # 64 × 64 and 128 × 64 are below 96 × 128; 32 × 256 is, 64 × 256 is not.
    assert between == {(48, 256), (64, 128), (128, 128)}
    cells = by_size(found)
    assert cells[48, 256].winner == "numpy@2"
    assert cells[64, 128].winner == "numpy@1"
    assert found.rule.threshold is not None
    assert (found.rule.threshold.value, found.rule.threshold.correct) == (48 * 256, len(found.cells))
    assert found.rule.sentences[0] == (
        "width × batch below 12,288 (reached at width 48, batch 256): use numpy@1; otherwise: use numpy@2; correct in all 9 cells"
    )


def test_widths_between_a_winner_and_a_tie_are_measured():
    found = scripted(lambda which, w, b: 1e-3 if which == 0 or w * b >= 80 else 2e-3, widths=(8, 16, 64), batches=(1, 8)).run()
    assert {cell.size for cell in found.cells if cell.in_between} == {(12, 8)}
    assert found.rule.sentences[0].endswith("use numpy@1; otherwise: a tie; correct in all 7 cells")


def test_there_is_no_size_between_adjacent_ones():
    found = scripted(lambda which, w, b: 1e-3 if which == 0 else (2e-3 if w == 8 else 5e-4), widths=(8, 9), batches=(1, 2)).run()
    assert not any(cell.in_between for cell in found.cells)


def test_varying_times_are_ties():
    found = scripted(
        lambda which, w, b: 1e-3 if w < 64 or which == 0 else 2e-3, wobble=0.05, widths=(8, 64), batches=(1, 4)
    ).run()
    assert [by_size(found)[size].winner for size in ((8, 1), (8, 4), (64, 1), (64, 4))] == [TIE, TIE, "numpy@1", "numpy@1"]
    assert {cell.size: cell.winner for cell in found.cells if cell.in_between} == {(23, 1): TIE, (23, 4): TIE}
    assert found.rule.ties == 4
    assert found.rule.sentences[1] == "numpy@1 1.9 times as fast in 2 cells, a tie in 4 cells"


def test_a_cell_that_does_not_fit_in_the_budget_stays_blank_with_its_projected_time():
    """A step takes a nanosecond an operation; the largest network's rounds would take longer than all the rest."""
    told: list[SweepProgress] = []
    found = scripted(lambda which, w, b: 1e-9 * operations(w, b), seconds=5.0, widths=(8, 64, 4096), batches=(1, 16)).run(
        told.append
    )
    cells = by_size(found)
    blank = cells[4096, 16]
    assert blank.winner == ""
    assert blank.seconds is None
    assert blank.ratio is None
    assert blank.rounds == 0
    assert not blank.failed
    likely = 2 * (MIN_ROUNDS + WARM_UP_STEPS) * 1e-9 * blank.operations
    assert f"left out: its rounds would take {likely:.1f} s, projected" in blank.reason
    assert told[-1].seconds <= 5.0
    assert (4096, 16) not in {one.now for one in told}
    assert cells[64, 16].winner == TIE
    assert found.rule.sentences[-1].startswith("measured up to width 4,096, batch 1: ")
    assert found.rule.sentences[-1].endswith("1 of 6 cells left blank")


def test_a_small_budget_measures_the_small_cells_with_fewer_rounds():
    found = scripted(beyond(10**9, 1), seconds=0.8, widths=(8, 16, 32, 64), batches=(1, 4)).run()
    measured = [cell for cell in found.cells if cell.winner]
    assert found.cells[: len(measured)] == tuple(measured)
    assert 0 < len(measured) < 8
    assert all(MIN_ROUNDS <= cell.rounds < MAX_ROUNDS for cell in measured)
    assert found.seconds <= 0.8


def test_the_last_fifth_of_the_budget_is_for_sizes_in_between():
    """The largest would fit in ten seconds and not in the eight that the sizes asked for have at first."""

    def speed(which: int, width: int, batch: int) -> float:
        one = 8.7 / (3 * (MIN_ROUNDS + WARM_UP_STEPS)) * operations(width, batch) / operations(512, 1)
        return 2 * one if which == (width > 8) else one

    order: list[tuple[int, int]] = []
    scripted(speed, seconds=10.0, widths=(8, 16, 512), batches=(1,)).run(lambda one: order.append(one.now) if one.now else None)
    assert order == [(8, 1), (16, 1), (12, 1), (512, 1)]


def test_a_cell_that_fails_has_a_reason_and_the_others_go_on():
    def speed(which: int, width: int, batch: int) -> float:
        if which == 1 and width == 16:
            raise OSError("the device is gone")
        return 1e-3 * (1 + which)

    found = scripted(speed, widths=(8, 16, 32), batches=(1, 2)).run()
    cells = by_size(found)
    assert cells[16, 1].reason == "numpy@2: the device is gone"
    assert cells[16, 1].failed
    assert cells[16, 1].winner == ""
    assert [cells[size].winner for size in ((8, 1), (8, 2), (32, 1), (32, 2))] == ["numpy@1"] * 4
    assert found.rule.sentences == (
        "numpy@1 wins in all 4 measured cells: 2.0 times as fast",
        f"measured up to width 32, batch 2: {cells[32, 2].operations / 1e3:.1f} k operations per step; 2 cells failed",
    )


def test_an_unwanted_sweep_ends():
    told: list[SweepProgress] = []
    found = scripted(beyond(8, 1), wanted=lambda: len(told) < 5).run(told.append)
    assert sum(bool(cell.winner) for cell in found.cells) == 2
    assert all(cell.reason == "" for cell in found.cells)


def test_setting_up_the_first_cell_is_not_part_of_the_budget():
    """Compiling and other set-up costs are not part of the budget."""
    found = scripted(lambda which, w, b: 1e-3, seconds=1.0, widths=(8,), batches=(1,))
    found._clock.now = 500.0
    assert found.run().seconds == pytest.approx(2 * MAX_ROUNDS * ROUND_SECONDS)


# ── refusals ──


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"entered": PAIR[:1]}, "backends = numpy@1: name exactly two"),
        ({"entered": (*PAIR, BackendEntry("scalar", None))}, "name exactly two"),
        ({"seconds": 0}, "seconds = 0: a number of seconds above 0"),
        ({"seconds": float("inf")}, "above 0"),
        ({"seconds": float("nan")}, "above 0"),
        ({"widths": (8, 0)}, "widths = 8,0: whole numbers from 1 on"),
        ({"batches": ()}, "batches = '': whole numbers from 1 on"),
        ({"seconds": 0.02}, "seconds = 0.02: too short for the rounds of the smallest cell, which take about 100 ms"),
        ({"seconds": 1.0, "entered": (PAIR[0], BackendEntry("scalar", None)), "widths": (2_000,)}, "too short for the rounds"),
    ],
)
def test_an_invalid_sweep_is_refused_in_one_line(changes, words):
    given = {"entered": PAIR, "seconds": 1.0, "widths": (2,), "batches": (1,)} | changes
    with pytest.raises(ConfigError) as found:
        Sweep(NET, **given).run()
    assert words in str(found.value)
    assert "\n" not in str(found.value)


def test_an_unavailable_backend_is_refused_at_once(monkeypatch):
    def refuse(name: str) -> Any:
        raise BackendError(f"backend {name}: not installed; pip install it")

    monkeypatch.setattr(sweep, "get_backend", refuse)
    with pytest.raises(BackendError, match="not installed"):
        Sweep(NET, PAIR)


# ── the rule ──


def cells_of(*winners: tuple[int, int, str], factor: float = 2.0) -> list[Cell]:
    return [
        Cell(w, b, w * w * b, seconds=(1.0, 1.0), winner=name,
             ratio=1.0 if name == TIE else factor if name == "a" else 1 / factor)
        for w, b, name in winners
    ]  # fmt: skip


def said(cells: Sequence[Cell]) -> Rule:
    return rule(cells, ("a", "b"))


def test_if_one_wins_everywhere_the_rule_has_the_range():
    cells = [*cells_of((8, 1, "a")), *cells_of((16, 4, "a"), factor=30.0)]
    assert said(cells).sentences[0] == "a wins in all 2 measured cells: 2.0 to 30 times as fast"
    assert said(cells).threshold is None
    assert said(cells[:1]).sentences[0] == "a wins in the one measured cell: 2.0 times as fast"
    assert said(cells_of((8, 1, TIE), (8, 2, TIE))).sentences[0] == "a and b tie in all 2 measured cells"
    assert said([Cell(8, 1, 64, reason="gone", failed=True)]).sentences == ("nothing was measured, so there is no rule",)


def test_the_threshold_is_on_operations_if_that_separates_better():
    """The operations (here width² × batch) separate these four cells; width × batch does not."""
    found = said(cells_of((32, 1, "a"), (4, 16, "a"), (64, 1, "b"), (48, 1, "b"), (8, 8, "a")))
    assert found.threshold is not None
    assert (found.threshold.of, found.threshold.value, found.threshold.correct) == (OPERATIONS, 48 * 48, 5)
    assert found.sentences[0].startswith(
        "below 2.30 k operations per step (reached at width 48, batch 1): use a; otherwise: use b; correct in all 5"
    )


def test_the_threshold_has_the_fewest_mistakes():
    found = said(cells_of((8, 1, "b"), (16, 1, "b"), (32, 1, "a"), (64, 1, "b"), (128, 1, "a"), (256, 1, "a"), (512, 1, "a")))
    assert found.threshold is not None
    assert (found.threshold.of, found.threshold.below, found.threshold.above) == (PRODUCT, "b", "a")
    assert "correct in 6 of 7 cells" in found.sentences[0]


def test_thresholds_with_equally_many_mistakes_are_compared_by_their_cost():
    """One of the two is wrong either way; the one that loses a factor of 30 must not be."""
    cells = [*cells_of((8, 1, "b"), (128, 1, "a"), (256, 1, "a")), *cells_of((16, 1, "a"), factor=30.0), *cells_of((32, 1, "b"))]
    found = said(cells)
    assert found.threshold is not None
    assert found.threshold.value == 16


def test_a_tie_can_be_a_side_of_the_threshold():
    found = said(cells_of((8, 1, "a"), (16, 1, "a"), (32, 1, TIE), (64, 1, TIE)))
    assert (
        found.sentences[0]
        == "width × batch below 32 (reached at width 32, batch 1): use a; otherwise: a tie; correct in all 4 cells"
    )
    assert found.sentences[1] == "a 2.0 times as fast in 2 cells, a tie in 2 cells"
    assert found.ties == 2
    found = said(cells_of((8, 1, TIE), (16, 1, "b")))
    assert "a tie; otherwise: use b" in found.sentences[0]


def test_there_is_no_threshold_if_no_size_separates_them():
    found = said(cells_of((8, 1, "a"), (16, 1, "b"), (32, 1, "a"), (64, 1, "a")))
    assert found.threshold is None
    assert found.sentences[0] == "no threshold in size: a in 3, b in 1 of 4 cells"
    assert found.sentences[2] == "batch 1: no threshold in width: a in 3, b in 1 of 4"


def test_the_threshold_width_of_each_batch():
    wins = [(w, b, "b" if w * b >= 128 else "a") for w in (8, 16, 32, 64) for b in (1, 4, 8)]
    between = [replace(cell, in_between=True) for cell in cells_of((24, 4, "a"), (48, 2, "a"))]
    found = said([*cells_of(*wins, (128, 1, TIE)), *between])
    assert found.sentences[2:-1] == (
        "batch 1: a below width 128, otherwise tie",
        "batch 4: a below width 32, otherwise b",
        "batch 8: a below width 16, otherwise b",
    )
    together = said(cells_of(*((w, b, "b" if w > 8 else "a") for w in (8, 16, 1_024) for b in (1, 4, 16))))
    assert together.sentences[2] == "batches 1, 4 and 16: a below width 16, otherwise b"
    alone = said(cells_of((8, 1, "a"), (16, 1, "a"), (32, 1, "a"), (8, 4, "b"), (16, 4, "b")))
    assert alone.sentences[2:4] == ("batch 1: a at widths 8 to 32", "batch 4: b at widths 8 to 16")


# ── the documents ──

HEADINGS = [
    "width", "batch", "operations", "first", "first_seconds", "first_spread", "second", "second_seconds", "second_spread",
    "ratio", "ratio_spread", "rounds", "winner", "reason",
]  # fmt: skip


@pytest.fixture(scope="module")
def real() -> Crossover:
    """A tiny sweep of real steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "ROUND_SECONDS", 5e-4)
        return Sweep(NET, (BackendEntry("numpy", None), BackendEntry("scalar", None)), 5.0, (2, 4), (1, 2)).run()


def test_real_steps_of_two_backends(real):
    asked = [cell for cell in real.cells if not cell.in_between]
    assert [cell.size for cell in asked] == [(2, 1), (2, 2), (4, 1), (4, 2)]
    for cell in real.cells:
        assert min(cell.seconds) > 0
        assert cell.ratio == pytest.approx(cell.seconds[1] / cell.seconds[0], rel=0.9)
        assert cell.winner in ("numpy", "scalar", TIE)
        assert cell.rounds >= MIN_ROUNDS
    assert real.devices[1].startswith("plain Python")
    assert real.seconds > 0


def test_the_document_is_plain_and_every_number_is_marked(real):
    document = json.loads(json.dumps(real.to_dict(), allow_nan=False))
    assert unmarked(document) == set()
    assert set(document["marks"].values()) <= set(Provenance)
    assert document["marks"]["cells[].operations"] == "counted"
    assert [entry["name"] for entry in document["entries"]] == ["numpy", "scalar"]
    assert document["network"]["depth"] == 3
    assert document["widths"][0] == 2
    assert {"width", "batch", "operations", "seconds", "ratio", "winner", "reason"} <= document["cells"][0].keys()
    assert document["rule"]["sentences"]


def test_a_document_with_a_threshold_is_marked_as_well():
    document = scripted(beyond(64, 4), widths=(8, 64), batches=(1, 16)).run().to_dict()
    assert document["rule"]["threshold"]["correct"] == document["rule"]["measured"]
    assert unmarked(json.loads(json.dumps(document, allow_nan=False))) == set()


def test_the_csv_has_one_line_for_each_cell_and_blanks_for_unknown_values():
    def speed(which: int, width: int, batch: int) -> float:
        if width == 16:
            raise OSError('gone, "for good"')
        return 1e-3 * (1 + which)

    found = scripted(speed, widths=(8, 16), batches=(1, 2)).run()
    lines = list(csv.DictReader(io.StringIO(found.csv())))
    assert list(lines[0]) == HEADINGS
    assert [(line["width"], line["batch"]) for line in lines] == [("8", "1"), ("8", "2"), ("16", "1"), ("16", "2")]
    assert lines[0] | {"reason": ""} == lines[0]
    assert (lines[0]["first"], float(lines[0]["second_seconds"]), lines[0]["winner"]) == ("numpy@1", 2e-3, "numpy@1")
    assert (lines[2]["first_seconds"], lines[2]["ratio"], lines[2]["winner"]) == ("", "", "")
    assert lines[2]["reason"] == 'numpy@1: gone, "for good"'


# ── pairs ──


def test_the_pairs_worth_a_sweep(monkeypatch):
    def named(found: Sequence[tuple[BackendEntry, BackendEntry]]) -> list[str]:
        return [f"{first.name} {second.name}" for first, second in found]

    monkeypatch.setattr(entries, "names", lambda: ("numpy", "scalar", "numba", "cupy"))
    everything = ["numpy cupy", "numpy numba", "cupy numba", "numpy@1 numpy@4", "numpy scalar"]
    assert named(pairs(lambda name: True, 4)) == everything
    assert named(pairs(lambda name: name != "cupy", 4)) == ["numpy numba", "numpy@1 numpy@4", "numpy scalar"]
    assert named(pairs(lambda name: name == "numpy", 2)) == ["numpy@1 numpy@2", "numpy scalar"]
    assert named(pairs(lambda name: name == "numpy", 1)) == ["numpy scalar"]


def test_availability_is_asked_without_importing(monkeypatch):
    found = {"numba": None, "numpy": type("Probe", (), {"available": True}), "cupy": type("Probe", (), {"available": False})}
    monkeypatch.setattr(entries, "probe_if_loaded", found.__getitem__)
    assert [entries.may_be_available(name) for name in found] == [True, True, False]


def test_a_job_publishes_progress_and_the_result(monkeypatch):
    monkeypatch.setattr(sweep, "ROUND_SECONDS", 1e-4)
    job = Job("crossover", lambda job: Sweep(NET, PAIR, 0.1, wanted=job.is_wanted).run(job.report))
    job.start()
    assert job.join(20)
    assert job.result is not None
    assert job.progress is not None
    assert job.progress.measured > 0
    screen = CrossoverScreen(PageContext(config=NET), [PAIR[:1]])
    failing = screen.make_job()
    failing.start()
    assert failing.join(20)
    assert failing.result is None
    assert "name exactly two" in failing.failure.message


# ── the command ──

TINY = {"--backends": "numpy,scalar", "--widths": "2,4", "--batches": "1,2", "--seconds": "2"}


def command(**changes: str) -> list[str]:
    options = TINY | {f"--{name}": value for name, value in changes.items()}
    return ["crossover", *(word for option in options.items() for word in option)]


FLAGS = command()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "ROUND_SECONDS", 5e-4)


@pytest.mark.usefixtures("quick")
def test_the_command_prints_the_map_and_the_rule(capsys):
    assert main([*FLAGS, "5-5-5-5", "--loss", "mse"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert err == ""
    lines = [line.rstrip() for line in out.splitlines()]
    assert "4 layers" in lines[0]
    assert "scalar: plain Python" in lines[1]
    assert lines[3].split() == ["width", "1", "2"]
    assert lines[4].split()[0] == "2"
    assert "measured up to width 4, batch 2" in lines[-2]
    assert lines[-1] == "note: backend scalar: computes in float64, not in float32"


@pytest.mark.usefixtures("quick")
def test_the_command_as_json_and_as_csv(capsys):
    assert main([*FLAGS, "--json"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert len([cell for cell in document["cells"] if not cell["in_between"]]) == 4
    assert main([*FLAGS, "--csv"]) == ExitCode.DONE
    assert next(csv.reader(io.StringIO(capsys.readouterr().out))) == HEADINGS


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (command(backends="numpy"), "at least two", ExitCode.BAD_CONFIGURATION),
        (command(backends="numpy,scalar,numpy@2"), "exactly two", ExitCode.BAD_CONFIGURATION),
        (command(backends="numpy,scaler"), "did you mean scalar?", ExitCode.BAD_CONFIGURATION),
        (command(seconds="0.001"), "too short for the rounds", ExitCode.BAD_CONFIGURATION),
        (command(widths="8,x"), "widths = 8,x: not a number", ExitCode.BAD_CONFIGURATION),
        (command(loss="mae"), "loss = mae", ExitCode.BAD_CONFIGURATION),
        ([*FLAGS, "--json", "--csv"], "give one of them", ExitCode.BAD_CONFIGURATION),
    ],
)
def test_the_command_refuses_in_one_line(arguments, words, code, capsys):
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


def test_the_command_names_an_unavailable_backend(monkeypatch, capsys):
    def refuse(name: str) -> Any:
        raise BackendError(f"backend {name}: not installed; pip install it")

    monkeypatch.setattr(sweep, "get_backend", refuse)
    assert main(FLAGS) == ExitCode.NO_BACKEND
    assert capsys.readouterr().err == "tuisim: backend numpy: not installed; pip install it\n"


def test_the_command_fails_if_nothing_could_be_measured(monkeypatch, capsys):
    def refuse(config: RunConfig, batch: int, like: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Sweep.__init__, "__defaults__", (*Sweep.__init__.__defaults__[:-2], refuse, Clock()))
    assert main(FLAGS) == ExitCode.RUN_FAILED
    out = capsys.readouterr().out
    assert "✗" in out
    assert "failed: numpy: out of memory" in out


def test_a_narrow_map_has_short_names(real):
    state = CrossoverState(NET, real.entries, crossover=real)
    narrow, wide = ([text(line) for line in map_lines(state, Frame(width, 30))] for width in (24, 200))
    assert "np numpy, sc scalar" in " ".join(narrow)
    assert "np numpy, sc scalar" not in " ".join(wide)
