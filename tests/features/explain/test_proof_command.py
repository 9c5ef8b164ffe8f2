"""The proof's document, command and job."""

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
from tuisim.features.explain.proof import proof as proof_module
from tuisim.features.explain.proof.proof import ProofProgress, prove
from tuisim.features.explain.proof.screen import ProofScreen
from tuisim.program import Kind
from tuisim.tui.context import PageContext

SMALL = RunConfig(layers=(5, 4, 3), examples=30, batch_size=8, threads=1)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Make the number of steps the same on every machine."""
    monkeypatch.setattr(proof_module, "MAX_STEPS", 12)


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
    assert re.search(r"forward +predicted +256 .*\n +executed +256 ✓", out)
    assert out.count("✓ passed") == 3
    assert "one step of 6 examples" in out
    assert "✓ proved" in out
    assert "all 39" in out


def test_the_command_says_what_failed_and_exits_with_1(capsys, monkeypatch):
    wrong = replace(FORMULAS[Kind.SGD], count=lambda op: Operations(multiply=op.parameters + 1, add=op.parameters))
    monkeypatch.setitem(FORMULAS, Kind.SGD, wrong)
    assert main(["prove", "5-4-3", "--examples", "32", "--batch-size", "8"]) == ExitCode.CHECK_FAILED
    out, _ = capsys.readouterr()
    assert re.search(r"update +predicted +41 .*\n +executed +39 ✗", out)
    assert "layer 1, SGD, multiply: 25 predicted, 24 executed" in out
    assert "✗ not proved" in out
    assert main(["prove", "5-4-3", "--examples", "32", "--batch-size", "8", "--json"]) == ExitCode.CHECK_FAILED
    document = json.loads(capsys.readouterr().out)
    assert [check["passed"] for check in document["checks"]] == [False, True, True]


def test_the_command_refuses_in_one_line(capsys):
    assert main(["prove", "784-4096-1000", "--batch-size", "1024"]) == ExitCode.RUN_FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "would take about" in err


# ── the job ──


def job_of(config: RunConfig):
    """Return the page of `config` and its job, finished."""
    screen = ProofScreen(PageContext(config=config))
    job = screen.make_job()
    job.start()
    assert job.join(60)
    return screen, job


def test_a_job_has_progress_and_the_proof():
    screen, job = job_of(SMALL)
    state = screen.state(job)
    assert state.proof is not None
    assert state.proof.passed
    assert job.seconds >= state.proof.seconds > 0
    assert isinstance(job.progress, ProofProgress)
    assert [check.name for check in job.progress.finished] == ["count", "gradient"]


def test_a_cancelled_job_has_no_proof():
    job = ProofScreen(PageContext(config=replace(SMALL, layers=(60, 40, 3)))).make_job()
    job.cancel()
    job.start()
    assert job.join(60)
    assert job.result is None
    assert job.failure is None


@pytest.mark.parametrize(
    ("config", "words", "refused"),
    [
        (replace(SMALL, dataset="digits"), "digits has 64 inputs", False),
        (RunConfig(layers=(784, 4096, 1000), batch_size=1024), "would take about", True),
    ],
)
def test_a_failed_job_says_why(config, words, refused):
    screen, job = job_of(config)
    state = screen.state(job)
    assert words in state.failure
    assert state.is_refused is refused
