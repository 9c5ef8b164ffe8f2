"""The sweep of two over widths and batches: who wins a cell, what is left out, the rule in words, and the command."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from tests.test_provenance import unmarked
from tuisim import RunConfig, count
from tuisim.backends.numpy import NumpyBackend
from tuisim.cli import main
from tuisim.errors import BackendError, ConfigError, ExitCode
from tuisim.features.compare.crossover import pairs as crossover_pairs
from tuisim.features.compare.crossover import sweep as sweeping
from tuisim.features.compare.crossover.cell import LEVEL, Cell, result, shorts, times, written
from tuisim.features.compare.crossover.found import HEADINGS, Crossover
from tuisim.features.compare.crossover.pairs import duels
from tuisim.features.compare.crossover.rule import OPERATIONS, PRODUCT, Rule, rule
from tuisim.features.compare.crossover.sweep import (
    LEAST_ROUNDS,
    MOST_ROUNDS,
    ROUND_SECONDS,
    WARMING,
    Sweep,
    Sweeping,
    Timed,
    crossover,
)
from tuisim.features.compare.crossover.worker import CrossoverWorker
from tuisim.features.compare.entries import BackendEntry
from tuisim.provenance import Provenance

NET = RunConfig(layers=(30, 30, 30), threads=1)
PAIR = (BackendEntry("numpy", 1), BackendEntry("numpy", 2))
NAMES = ("numpy@1", "numpy@2")
Speed = Callable[[int, int, int], float]
"""Seconds of a step: (0 or 1, width, batch)."""


class Clock:
    """Time that goes on only where somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """A step that takes as long as it is told; every round of one is `wobble` slower or faster than the last."""

    def __init__(self, clock: Clock, seconds: float, wobble: float = 0.0) -> None:
        self.single, self._clock, self._wobble, self._round = seconds, clock, wobble, 0
        clock.now += WARMING * seconds

    def timed(self) -> float:
        self._clock.now += max(ROUND_SECONDS, self.single)
        self._round += 1
        return self.single * (1 + self._wobble * (-1) ** self._round)


def scripted(speed: Speed, seconds: float = 100.0, wobble: float = 0.0, **more: Any) -> Sweep:
    clock = Clock()

    def make(config: RunConfig, batch: int, like: Timed | None) -> Timed:
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


def test_a_cell_is_won_where_the_spread_leaves_no_doubt():
    won = result(([1.0, 1.0, 1.0], [2.0, 2.2, 1.9]), NAMES)
    assert won["winner"] == "numpy@1"
    assert won["ratio"] == 2.0
    assert won["ratio_spread"] == pytest.approx(0.15)
    assert won["seconds"] == (1.0, 2.0)
    assert won["rounds"] == 3
    assert result(([2.0, 2.2, 1.9], [1.0, 1.0, 1.0]), NAMES)["winner"] == "numpy@2"
    assert result(([1.0, 1.0, 1.0], [1.2, 0.9, 1.1]), NAMES)["winner"] == LEVEL
    assert result(([1.0] * 3, [1.02] * 3), NAMES)["winner"] == LEVEL  # alike, however steady
    assert result(([1.0] * 3, [1.04] * 3), NAMES)["winner"] == "numpy@1"
    assert result(([1.04] * 3, [1.0] * 3), NAMES)["winner"] == "numpy@2"


def test_the_ratio_is_taken_within_each_round():
    """A machine that slows down for both in one round changes no ratio."""
    assert result(([1.0, 9.0, 1.0], [1.5, 13.5, 1.5]), NAMES)["ratio_spread"] == 0.0


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1.04, "1.04"), (1.094, "1.09"), (1.1, "1.1"), (9.94, "9.9"), (9.96, "10"), (24.4, "24"), (999.4, "999"), (1_234, "1.2k"),
     (45_678, "46k"), (456_789, "457k")],
)  # fmt: skip
def test_a_factor_is_written_in_four_characters(factor, words):
    assert times(factor) == words
    assert len(words) <= 4


def test_names_have_letters_that_tell_them_apart():
    assert shorts((BackendEntry("numpy", None), BackendEntry("numba", 2))) == ("np", "nb")
    assert shorts((BackendEntry("numpy", 1), BackendEntry("numpy", 16))) == ("@1", "@16")
    assert shorts((BackendEntry("numpy", None), BackendEntry("numpy", 2))) == ("nu", "@2")


def test_a_cell_in_a_few_characters():
    labels = {"numpy@1": "@1", "numpy@2": "@2"}
    cell = Cell(8, 1, 100, winner="numpy@2", ratio=0.125)
    assert written(cell, labels) == "@2 8.0×"
    assert written(cell, labels, sign="", gap="") == "@28.0"
    assert written(cell, labels, figure=False) == "@2"
    assert written(replace(cell, winner=LEVEL), labels) == "="
    assert written(Cell(8, 1, 100, reason="left out"), labels) == ""
    assert written(Cell(8, 1, 100, reason="gone", failed=True), labels) == "✗"


# ── the sweep ──


def test_every_cell_is_measured_in_turn_from_few_operations_to_many():
    told: list[Sweeping] = []
    found = scripted(beyond(64, 4), widths=(64, 8, 16), batches=(1, 16)).run(told.append)
    asked = [cell for cell in found.cells if not cell.in_between]
    assert {cell.size for cell in asked} == {(w, b) for w in (8, 16, 64) for b in (1, 16)}
    assert [cell.operations for cell in found.cells] == sorted(cell.operations for cell in found.cells)
    for cell in found.cells:
        assert cell.operations == operations(cell.width, cell.batch)
        assert cell.rounds == MOST_ROUNDS
        assert cell.winner == ("numpy@2" if cell.width * cell.batch >= 256 else "numpy@1")
        assert cell.seconds == (1e-3, 5e-4 if cell.winner == "numpy@2" else 4e-3)
        assert cell.ratio == pytest.approx(0.5 if cell.winner == "numpy@2" else 4.0)
    begun = [one.now for one in told if one.now]
    assert [size for size in begun if size in {cell.size for cell in asked}] == [cell.size for cell in asked]
    assert told[0].measured == 0
    assert told[-1].measured == len(found.cells)
    assert told[1].latest == begun[0]


def test_where_the_winner_changes_the_sizes_in_between_are_measured():
    found = scripted(beyond(96, 128), widths=(32, 64, 128), batches=(64, 256)).run()
    between = {cell.size for cell in found.cells if cell.in_between}
    # 64 × 64 and 128 × 64 are below 96 × 128; 32 × 256 is, 64 × 256 is not.
    assert between == {(48, 256), (64, 128), (128, 128)}
    cells = by_size(found)
    assert cells[48, 256].winner == "numpy@2"
    assert cells[64, 128].winner == "numpy@1"
    assert found.rule.threshold is not None
    assert (found.rule.threshold.value, found.rule.threshold.right) == (48 * 256, len(found.cells))
    assert found.rule.sentences[0] == (
        "below 48 × 256 (width × batch, 12,288 in all) stay on numpy@1, from there on take numpy@2: right in all 9 cells"
    )


def test_where_one_wins_up_to_where_they_are_level_the_widths_in_between_are_measured():
    found = scripted(lambda which, w, b: 1e-3 if which == 0 or w * b >= 80 else 2e-3, widths=(8, 16, 64), batches=(1, 8)).run()
    assert {cell.size for cell in found.cells if cell.in_between} == {(12, 8)}
    assert found.rule.sentences[0].endswith("take numpy@1, from there on they are level: right in all 7 cells")


def test_no_size_lies_between_neighbours():
    found = scripted(lambda which, w, b: 1e-3 if which == 0 else (2e-3 if w == 8 else 5e-4), widths=(8, 9), batches=(1, 2)).run()
    assert not any(cell.in_between for cell in found.cells)


def test_a_wobble_makes_cells_level_and_they_are_said_so():
    found = scripted(
        lambda which, w, b: 1e-3 if w < 64 or which == 0 else 2e-3, wobble=0.05, widths=(8, 64), batches=(1, 4)
    ).run()
    assert [by_size(found)[size].winner for size in ((8, 1), (8, 4), (64, 1), (64, 4))] == [LEVEL, LEVEL, "numpy@1", "numpy@1"]
    assert {cell.size: cell.winner for cell in found.cells if cell.in_between} == {(23, 1): LEVEL, (23, 4): LEVEL}
    assert found.rule.level == 4
    assert found.rule.sentences[1] == "numpy@1 1.9 times as fast in 2 cells, level in 4 cells"


def test_what_does_not_fit_in_the_budget_stays_blank_with_the_projection():
    """A step takes a nanosecond an operation; the largest network's rounds would take longer than all the rest."""
    told: list[Sweeping] = []
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
    likely = 2 * (LEAST_ROUNDS + WARMING) * 1e-9 * blank.operations
    assert f"left out: its rounds would take {likely:.1f} s, projected" in blank.reason
    assert told[-1].seconds <= 5.0
    assert (4096, 16) not in {one.now for one in told}
    assert cells[64, 16].winner == LEVEL
    assert found.rule.sentences[-1].startswith("measured up to 4,096 × 1, ")
    assert found.rule.sentences[-1].endswith("1 of 6 cells left blank")


def test_a_small_budget_maps_the_small_ones_with_fewer_rounds():
    found = scripted(beyond(10**9, 1), seconds=0.8, widths=(8, 16, 32, 64), batches=(1, 4)).run()
    measured = [cell for cell in found.cells if cell.winner]
    assert found.cells[: len(measured)] == tuple(measured)
    assert 0 < len(measured) < 8
    assert all(LEAST_ROUNDS <= cell.rounds < MOST_ROUNDS for cell in measured)
    assert found.seconds <= 0.8


def test_the_last_fifth_goes_to_the_sizes_in_between_before_a_large_one():
    """The largest would fit in ten seconds and not in the eight that the sizes asked for have at first."""

    def speed(which: int, width: int, batch: int) -> float:
        one = 8.7 / (3 * (LEAST_ROUNDS + WARMING)) * operations(width, batch) / operations(512, 1)
        return 2 * one if which == (width > 8) else one

    order: list[tuple[int, int]] = []
    scripted(speed, seconds=10.0, widths=(8, 16, 512), batches=(1,)).run(lambda one: order.append(one.now) if one.now else None)
    assert order == [(8, 1), (16, 1), (12, 1), (512, 1)]


def test_one_that_fails_in_the_middle_leaves_a_reason_and_the_others_go_on():
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
        "numpy@1 wins in all 4 cells measured: 2.0 times as fast",
        f"measured up to 32 × 2, {cells[32, 2].operations / 1e3:.1f} k operations a step; 2 cells failed",
    )


def test_nobody_wanting_it_ends_it():
    told: list[Sweeping] = []
    found = scripted(beyond(8, 1), wanted=lambda: len(told) < 5).run(told.append)
    assert sum(bool(cell.winner) for cell in found.cells) == 2
    assert all(cell.reason == "" for cell in found.cells)


def test_the_first_cell_may_take_its_time_to_set_up():
    """What happens once, such as compiling, is not the budget's."""
    found = scripted(lambda which, w, b: 1e-3, seconds=1.0, widths=(8,), batches=(1,))
    found._clock.now = 500.0
    assert found.run().seconds == pytest.approx(2 * MOST_ROUNDS * ROUND_SECONDS)


# ── what cannot be swept ──


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
def test_what_cannot_be_swept_is_one_clear_line(changes, words):
    given = {"entered": PAIR, "seconds": 1.0, "widths": (2,), "batches": (1,)} | changes
    with pytest.raises(ConfigError) as found:
        crossover(NET, **given)
    assert words in str(found.value)
    assert "\n" not in str(found.value)


def test_a_backend_that_cannot_work_here_is_said_at_once(monkeypatch):
    def refuse(name: str) -> Any:
        raise BackendError(f"backend {name}: not installed; pip install it")

    monkeypatch.setattr(sweeping, "get_backend", refuse)
    with pytest.raises(BackendError, match="not installed"):
        Sweep(NET, PAIR)


# ── the rule ──


def cells_of(*winners: tuple[int, int, str], factor: float = 2.0) -> list[Cell]:
    return [
        Cell(w, b, w * w * b, seconds=(1.0, 1.0), winner=name,
             ratio=1.0 if name == LEVEL else factor if name == "a" else 1 / factor)
        for w, b, name in winners
    ]  # fmt: skip


def said(cells: Sequence[Cell]) -> Rule:
    return rule(cells, ("a", "b"))


def test_where_one_wins_everywhere_the_range_is_said():
    cells = [*cells_of((8, 1, "a")), *cells_of((16, 4, "a"), factor=30.0)]
    assert said(cells).sentences[0] == "a wins in all 2 cells measured: 2.0 to 30 times as fast"
    assert said(cells).threshold is None
    assert said(cells[:1]).sentences[0] == "a wins in the one cell measured: 2.0 times as fast"
    assert said(cells_of((8, 1, LEVEL), (8, 2, LEVEL))).sentences[0] == "a and b are level in all 2 cells measured"
    assert said([Cell(8, 1, 64, reason="gone", failed=True)]).sentences == ("nothing was measured, so there is no rule",)


def test_the_threshold_on_operations_where_that_divides_better():
    """By operations (here width² × batch) these four divide, by width × batch they do not."""
    found = said(cells_of((32, 1, "a"), (4, 16, "a"), (64, 1, "b"), (48, 1, "b"), (8, 8, "a")))
    assert found.threshold is not None
    assert (found.threshold.of, found.threshold.value, found.threshold.right) == (OPERATIONS, 48 * 48, 5)
    assert found.sentences[0].startswith(
        "below 2.30 k operations a step (as at 48 × 1) stay on a, from there on take b: right in all 5"
    )


def test_the_threshold_with_the_fewest_mistakes_is_counted():
    found = said(cells_of((8, 1, "b"), (16, 1, "b"), (32, 1, "a"), (64, 1, "b"), (128, 1, "a"), (256, 1, "a"), (512, 1, "a")))
    assert found.threshold is not None
    assert (found.threshold.of, found.threshold.below, found.threshold.above) == (PRODUCT, "b", "a")
    assert "right in 6 of 7 cells" in found.sentences[0]


def test_of_equally_many_mistakes_the_cheaper_one():
    """One of the two is wrong either way; the one that loses a factor of 30 must not be."""
    cells = [*cells_of((8, 1, "b"), (128, 1, "a"), (256, 1, "a")), *cells_of((16, 1, "a"), factor=30.0), *cells_of((32, 1, "b"))]
    found = said(cells)
    assert found.threshold is not None
    assert found.threshold.value == 16


def test_level_is_a_side_of_its_own():
    found = said(cells_of((8, 1, "a"), (16, 1, "a"), (32, 1, LEVEL), (64, 1, LEVEL)))
    assert (
        found.sentences[0] == "below 32 × 1 (width × batch, 32 in all) take a, from there on they are level: right in all 4 cells"
    )
    assert found.sentences[1] == "a 2.0 times as fast in 2 cells, level in 2 cells"
    assert found.level == 2
    found = said(cells_of((8, 1, LEVEL), (16, 1, "b")))
    assert "they are level, from there on take b" in found.sentences[0]


def test_no_rule_is_made_up_where_no_size_divides_them():
    found = said(cells_of((8, 1, "a"), (16, 1, "b"), (32, 1, "a"), (64, 1, "a")))
    assert found.threshold is None
    assert found.sentences[0] == "no size divides them: a in 3, b in 1 of 4 cells"
    assert found.sentences[2] == "batch 1: no width divides them: a in 3, b in 1 of 4"


def test_batch_by_batch_the_width_from_which_on_the_other_wins():
    wins = [(w, b, "b" if w * b >= 128 else "a") for w in (8, 16, 32, 64) for b in (1, 4, 8)]
    between = [replace(cell, in_between=True) for cell in cells_of((24, 4, "a"), (48, 2, "a"))]
    found = said([*cells_of(*wins, (128, 1, LEVEL)), *between])
    assert found.sentences[2:-1] == (
        "batch 1: a below width 128, level from there on",
        "batch 4: a below width 32, b from there on",
        "batch 8: a below width 16, b from there on",
    )
    together = said(cells_of(*((w, b, "b" if w > 8 else "a") for w in (8, 16, 1_024) for b in (1, 4, 16))))
    assert together.sentences[2] == "batches 1, 4 and 16: a below width 16, b from there on"
    alone = said(cells_of((8, 1, "a"), (16, 1, "a"), (32, 1, "a"), (8, 4, "b"), (16, 4, "b")))
    assert alone.sentences[2:4] == ("batch 1: a at all 3 widths measured, 8 to 32", "batch 4: b at widths 8 and 16")


# ── the document and the table ──


@pytest.fixture(scope="module")
def real() -> Crossover:
    """A tiny sweep of real steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping, "ROUND_SECONDS", 5e-4)
        return crossover(NET, (BackendEntry("numpy", None), BackendEntry("scalar", None)), 5.0, (2, 4), (1, 2))


def test_real_steps_of_two_backends(real):
    asked = [cell for cell in real.cells if not cell.in_between]
    assert [cell.size for cell in asked] == [(2, 1), (2, 2), (4, 1), (4, 2)]
    for cell in real.cells:
        assert min(cell.seconds) > 0
        assert cell.ratio == pytest.approx(cell.seconds[1] / cell.seconds[0], rel=0.9)
        assert cell.winner in ("numpy", "scalar", LEVEL)
        assert cell.rounds >= LEAST_ROUNDS
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
    assert document["rule"]["threshold"]["right"] == document["rule"]["measured"]
    assert unmarked(json.loads(json.dumps(document, allow_nan=False))) == set()


def test_the_table_has_one_line_for_each_cell_and_blanks_where_nothing_is_known():
    def speed(which: int, width: int, batch: int) -> float:
        if width == 16:
            raise OSError('gone, "for good"')
        return 1e-3 * (1 + which)

    found = scripted(speed, widths=(8, 16), batches=(1, 2)).run()
    lines = list(csv.DictReader(io.StringIO(found.csv())))
    assert tuple(lines[0]) == HEADINGS
    assert [(line["width"], line["batch"]) for line in lines] == [("8", "1"), ("8", "2"), ("16", "1"), ("16", "2")]
    assert lines[0] | {"reason": ""} == lines[0]
    assert (lines[0]["first"], float(lines[0]["second_seconds"]), lines[0]["winner"]) == ("numpy@1", 2e-3, "numpy@1")
    assert (lines[2]["first_seconds"], lines[2]["ratio"], lines[2]["winner"]) == ("", "", "")
    assert lines[2]["reason"] == 'numpy@1: gone, "for good"'


# ── whom to hold against whom ──


def test_the_pairs_worth_a_sweep(monkeypatch):
    def named(pairs: Sequence[tuple[BackendEntry, BackendEntry]]) -> list[str]:
        return [f"{first.name} {second.name}" for first, second in pairs]

    monkeypatch.setattr(crossover_pairs, "names", lambda: ("numpy", "scalar", "numba", "cupy"))
    everything = ["numpy cupy", "numpy numba", "cupy numba", "numpy@1 numpy@4", "numpy scalar"]
    assert named(duels(lambda name: True, 4)) == everything
    assert named(duels(lambda name: name != "cupy", 4)) == ["numpy numba", "numpy@1 numpy@4", "numpy scalar"]
    assert named(duels(lambda name: name == "numpy", 2)) == ["numpy@1 numpy@2", "numpy scalar"]
    assert named(duels(lambda name: name == "numpy", 1)) == ["numpy scalar"]


def test_what_is_at_hand_is_asked_without_importing(monkeypatch):
    found = {"numba": None, "numpy": type("Probe", (), {"available": True}), "cupy": type("Probe", (), {"available": False})}
    monkeypatch.setattr(crossover_pairs, "known", found.__getitem__)
    assert [crossover_pairs.likely_works(name) for name in found] == [True, True, False]


def test_a_worker_publishes_and_ends(monkeypatch):
    monkeypatch.setattr(sweeping, "ROUND_SECONDS", 1e-4)
    worker = CrossoverWorker(NET, PAIR, 0.1)
    worker.start()
    assert worker.join(20)
    assert worker.crossover is not None
    assert worker.sweeping is not None
    assert worker.sweeping.measured > 0
    failing = CrossoverWorker(NET, PAIR[:1])
    failing.start()
    assert failing.join(20)
    assert failing.crossover is None
    assert "name exactly two" in (failing.failure or "")


# ── the command ──

TINY = {"--backends": "numpy,scalar", "--widths": "2,4", "--batches": "1,2", "--seconds": "2"}


def command(**changes: str) -> list[str]:
    options = TINY | {f"--{name}": value for name, value in changes.items()}
    return ["crossover", *(word for option in options.items() for word in option)]


FLAGS = command()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "ROUND_SECONDS", 5e-4)


@pytest.mark.usefixtures("quick")
def test_the_command_prints_the_map_and_the_rule(capsys):
    assert main([*FLAGS, "5-5-5-5", "--loss", "mse"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert "4 layers" in lines[0]
    assert lines[2].split() == ["width", "batch", "1", "2"]
    assert lines[3].lstrip().startswith("2")
    assert "measured up to 4 × 2" in lines[-2]
    assert lines[-1] == "note: backend scalar: computes in float64, not in float32"


@pytest.mark.usefixtures("quick")
def test_the_command_as_json_and_as_csv(capsys):
    assert main([*FLAGS, "--json"]) == ExitCode.DONE
    document = json.loads(capsys.readouterr().out)
    assert len([cell for cell in document["cells"] if not cell["in_between"]]) == 4
    assert main([*FLAGS, "--csv"]) == ExitCode.DONE
    assert next(csv.reader(io.StringIO(capsys.readouterr().out))) == list(HEADINGS)


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (command(backends="numpy"), "at least two", ExitCode.BAD_CONFIGURATION),
        (command(backends="numpy,scalar,numpy@2"), "exactly two", ExitCode.BAD_CONFIGURATION),
        (command(backends="numpy,scaler"), "did you mean scalar?", ExitCode.BAD_CONFIGURATION),
        (command(seconds="0.001"), "too short for the rounds", ExitCode.BAD_CONFIGURATION),
        (command(widths="8,x"), "widths = 8,x: not a number", ExitCode.BAD_CONFIGURATION),
        (command(loss="mae"), "loss = mae", ExitCode.BAD_CONFIGURATION),
        ([*FLAGS, "--json", "--csv"], "ask for one of them", ExitCode.BAD_CONFIGURATION),
    ],
)
def test_the_command_refuses_in_one_line(arguments, words, code, capsys):
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


def test_the_command_says_which_backend_is_not_here(monkeypatch, capsys):
    def refuse(name: str) -> Any:
        raise BackendError(f"backend {name}: not installed; pip install it")

    monkeypatch.setattr(sweeping, "get_backend", refuse)
    assert main(FLAGS) == ExitCode.NO_BACKEND
    assert capsys.readouterr().err == "tuisim: backend numpy: not installed; pip install it\n"


def test_where_nothing_could_be_measured_the_command_fails(monkeypatch, capsys):
    def refuse(config: RunConfig, batch: int, like: Timed | None) -> Timed:
        raise MemoryError

    monkeypatch.setattr(sweeping, "subject", refuse)
    monkeypatch.setattr(Sweep.__init__, "__defaults__", (*Sweep.__init__.__defaults__[:-2], refuse, Clock()))
    assert main(FLAGS) == ExitCode.RUN_FAILED
    out = capsys.readouterr().out
    assert "✗" in out
    assert "failed: numpy: out of memory" in out


def test_names_become_letters_where_they_do_not_fit(real):
    from tuisim.features.compare.crossover.command import _map

    assert "np numpy, sc scalar" in _map(real, 20)[-1]
    assert max(map(len, _map(real, 20)[:-1])) < max(map(len, _map(real, 200)[:-1]))
