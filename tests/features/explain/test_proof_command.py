"""Proofs at the edges: the document, the command and the thread."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from tuisim import RunConfig
from tuisim.accounting import Operations
from tuisim.accounting.formulas import FORMULAS
from tuisim.cli import main
from tuisim.errors import ExitCode
from tuisim.features.explain.proof import cost as prove_cost
from tuisim.features.explain.proof.proof import Progress, prove
from tuisim.features.explain.proof.worker import ProofWorker
from tuisim.program import Kind

SMALL = RunConfig(layers=(5, 4, 3), examples=30, batch_size=8, threads=1)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """As many steps whatever the machine."""
    monkeypatch.setattr(prove_cost, "MOST_STEPS", 12)


@pytest.fixture(scope="module")
def proof():
    return prove(SMALL)


# ── the document ──


def test_the_document_is_plain(proof):
    document = json.loads(json.dumps(proof.to_dict(), allow_nan=False))
    assert document["passed"] is True
    for check in document["checks"]:
        assert {"name", "passed", "worst", "where"} <= check.keys()


# ── the command ──


def test_the_command_prints_the_table_and_ends_well(capsys):
    assert main(["prove", "5-4-3", "--examples", "30", "--batch-size", "8"]) == ExitCode.DONE
    out, err = capsys.readouterr()
    assert err == ""
    assert re.search(r"forward +multiply +256 += +256 +✓ equal", out)
    assert out.count("✓ passed") == 3
    assert "one step of 6 examples" in out
    assert "✓ proved in" in out
    assert "every parameter" in out


def test_the_command_says_what_failed_and_exits_with_1(capsys, monkeypatch):
    wrong = replace(FORMULAS[Kind.SGD], count=lambda op: Operations(multiply=op.parameters + 1, add=op.parameters))
    monkeypatch.setitem(FORMULAS, Kind.SGD, wrong)
    assert main(["prove", "5-4-3", "--examples", "32", "--batch-size", "8"]) == ExitCode.CHECK_FAILED
    out, _ = capsys.readouterr()
    assert re.search(r"update +multiply +41 +≠ +39 +✗ differs", out)
    assert "layer 1, SGD, multiply: 25 in the ledger, 24 tallied" in out
    assert "✗ not proved: count" in out
    assert main(["prove", "5-4-3", "--examples", "32", "--batch-size", "8", "--json"]) == ExitCode.CHECK_FAILED
    document = json.loads(capsys.readouterr().out)
    assert [check["passed"] for check in document["checks"]] == [False, True, True]


def test_the_command_refuses_in_one_line(capsys):
    assert main(["prove", "784-4096-1000", "--batch-size", "1024"]) == ExitCode.RUN_FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "would take about" in err


# ── the thread ──


def test_a_worker_brings_the_proof_and_its_progress():
    worker = ProofWorker(SMALL)
    worker.start()
    assert worker.join(60)
    assert worker.failure is None
    assert worker.proof is not None
    assert worker.proof.passed
    assert worker.seconds >= worker.proof.seconds > 0
    assert isinstance(worker.progress, Progress)
    assert [check.name for check in worker.progress.finished] == ["count", "gradient"]


def test_a_worker_that_is_stopped_brings_nothing():
    worker = ProofWorker(replace(SMALL, layers=(60, 40, 3)))
    worker.stop()
    worker.start()
    assert worker.join(60)
    assert worker.proof is None
    assert worker.failure is None


@pytest.mark.parametrize(
    ("config", "words", "refused"),
    [
        (replace(SMALL, dataset="digits"), "digits has 64 inputs", False),
        (RunConfig(layers=(784, 4096, 1000), batch_size=1024), "would take about", True),
    ],
)
def test_a_worker_keeps_why_there_is_no_proof(config, words, refused):
    worker = ProofWorker(config)
    worker.start()
    assert worker.join(60)
    assert words in worker.failure
    assert worker.refused is refused
