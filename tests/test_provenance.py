"""The provenance of every number in JSON documents and panels."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.provenance import numbers, said, unmarked
from tests.support.run_screen import running
from tests.support.scripted import ScriptedWorker, run_state, snapshot
from tuisim import RunConfig, Trainer, count, units
from tuisim.engine.events import State
from tuisim.features.compare.bench import bench
from tuisim.features.compare.crossover.sweep import Sweep
from tuisim.features.compare.entries import entries
from tuisim.features.compare.race.race import compare
from tuisim.features.explain.answer.answer import QUESTION, Answer, answer
from tuisim.features.explain.answer.claims import claims
from tuisim.features.explain.answer.view import claim_lines
from tuisim.features.explain.proof import proof
from tuisim.features.explain.proof.proof import prove
from tuisim.features.machine.doctor.doctor import diagnose
from tuisim.features.run.status import header_lines, status_lines
from tuisim.features.setup.cost_view import column, count_page, folded
from tuisim.provenance import Provenance, Tagged
from tuisim.terminal.lines import Frame, Line, text
from tuisim.tui.panel import Panel, ViewCanvas

SIZES = [(60, 20), (80, 24), (120, 36), (200, 60)]
DEAR = RunConfig(
    layers=(5, 4, 3), examples=30, batch_size=8, epochs=2, optimizer="adamw", weight_decay=0.1, clip_norm=0.5,
    schedule="cosine", warmup_steps=2, threads=1,
)  # fmt: skip


# ── documents ──


def test_a_number_without_a_mark_is_found():
    assert unmarked({"a": 1, "b": [{"c": 2.0}], "d": True, "e": None, "marks": {"a": "given"}}) == {"b[].c"}
    assert unmarked({"b": [{"c": 2.0, "cc": 1}], "marks": {"b[].c": "given"}}) == {"b[].cc"}
    assert unmarked({"rows": [{"x": 1}], "marks": {"rows[]": "counted"}}) == set()


def _bench(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(bench, "CASES", (RunConfig(layers=(3, 2), batch_size=4),))
    monkeypatch.setattr(bench.peers, "installed", dict)
    monkeypatch.setattr(bench, "ROUND_SECONDS", 1e-4)
    return bench.bench().to_dict()


def _prove(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(proof, "MAX_STEPS", 3)
    return prove(DEAR).to_dict()


DOCUMENTS = {
    "count": lambda _: count(DEAR).to_dict(),
    "count, endless": lambda _: count(replace(DEAR, epochs=None, examples=None, schedule_steps=9)).to_dict(),
    "run": lambda _: Trainer(DEAR).run().to_dict(),
    "run, regression": lambda _: Trainer(replace(DEAR, loss="mse", validation=0)).run().to_dict(),
    "prove": _prove,
    "answer": lambda _: answer(QUESTION).to_dict(),
    "bench": _bench,
    "compare": lambda _: compare(replace(DEAR, validation=0), entries("numpy,scalar"), 0.1).to_dict(),
    "crossover": lambda _: Sweep(DEAR, entries("numpy,scalar"), 0.5, widths=(2, 4), batches=(1, 2)).run().to_dict(),
    "doctor": lambda _: diagnose().to_dict(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_number_of_a_document_is_marked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(json.dumps(DOCUMENTS[name](monkeypatch), allow_nan=False))
    assert len(set(numbers(document))) > 4
    assert unmarked(document) == set()
    assert set(document["marks"].values()) <= set(Provenance)


# ── panels ──


def is_of(lines: Iterable[Line], written: str, mark: Provenance) -> bool:
    """Return True if `written` is on the lines, everywhere as a number of this provenance."""
    found = [characters for line in lines for characters, _ in line if written in characters]
    assert all(isinstance(characters, Tagged) and characters.mark is mark for characters in found), found
    return bool(found)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"total_steps": 10**6, "seconds_left": 4_321.0},
        {"speed_limit": 10.0, "throughput": None},
        {"state": State.COMPLETED, "total_steps": 21_573},
    ],
    ids=["endless", "with an end", "throttled", "ended"],
)
async def test_every_panel_of_a_run_shows_its_provenance(size, changes):
    config = RunConfig(layers=(64, 32, 10), epochs=None if "total_steps" not in changes else 9, clip_norm=1e-4)
    shown = snapshot(config, **changes)
    async with running(ScriptedWorker([shown]), config, size) as (screen, pilot):
        await pilot.press("5")  # the fifth panel is drawn on the whole page only
        await pilot.pause()
        await pilot.press("5")
        await pilot.pause()
        panels = list(screen.query(Panel))
        assert len(panels) == 5
        for panel in panels:
            assert panel.border_subtitle
            said(panel.canvas.lines, str(panel.border_subtitle))
        status = screen.query_one("#run-status", ViewCanvas)
        said(status.lines, "")
        everything = [line for canvas in screen.query(ViewCanvas) for line in canvas.lines]
        if shown.seconds_left is not None:
            assert is_of(everything, units.duration(shown.seconds_left), Provenance.PROJECTED)
        if shown.speed_limit is not None:
            assert is_of(status.lines, "10 steps/s", Provenance.GIVEN)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_lines_around_the_panels_have_a_provenance(width):
    header = header_lines(run_state(snapshot(DEAR)), Frame(width, 2 if width < 100 else 1))
    assert is_of(header, units.clock(12.4), Provenance.MEASURED)
    line = status_lines(run_state(snapshot(DEAR)), Frame(width, 1))[0]
    assert text(line).endswith("counted")
    assert "examples" not in text(line) or "counted" in text(line)


@pytest.fixture(scope="module")
def answered() -> Answer:
    return answer(QUESTION)


@pytest.mark.parametrize("width", [70, 118, 160])
def test_every_claim_of_the_answer_shows_its_provenance(width, answered):
    for claim in claims(QUESTION, answered.measured):
        drawn = " ".join(text(line) for line in claim_lines(claim, width))
        shown = {figure.provenance for figure in claim.figures.values() if figure.text and figure.text in drawn}
        assert {mark for mark in shown if mark not in drawn} == set(), claim.id


def test_every_part_of_the_ledger_is_tagged_as_counted():
    ledger = count(DEAR)
    for lines in (column(ledger, ledger.memory, 120), count_page(ledger, Frame(120, 100))):
        headings = [text(line) for line in lines if "──" in text(line)]
        assert len(headings) >= 3
        assert all(heading.endswith(" counted") for heading in headings)
    assert "counted" in text(folded(ledger, 60)[0])
