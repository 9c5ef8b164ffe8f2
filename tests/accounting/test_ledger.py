"""The ledger compared with brute-force counts and with the output of other tools."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from tuisim import RunConfig, count
from tuisim.accounting import FORMULAS, KINDS, Operations
from tuisim.config.choices import LOSSES, OPTIMIZERS
from tuisim.program import Kind, Phase

ORACLE, TOOLS, FLOPSCOPE = (
    json.loads((Path(__file__).parents[1] / "oracle" / f"{name}.json").read_text()) for name in ("counts", "tools", "flopscope")
)


def case_config(case):
    loss = "mse" if case["layers"][-1] == 1 else "cross_entropy"
    return RunConfig(
        layers=case["layers"],
        hidden_activation=case["hidden"],
        output_activation=case["output"],
        batch_size=case["batch"],
        loss=loss,
    )


@pytest.mark.parametrize("case", ORACLE, ids=lambda case: f"{case['layers']} b{case['batch']} {case['output']}")
def test_every_row_equals_the_brute_force_count(case):
    per_step = count(case_config(case)).to_dict()["per_step"]
    for phase, counted in case["per_step"].items():
        assert per_step[phase] == dict.fromkeys(KINDS, 0) | counted


@pytest.mark.parametrize("case", ORACLE, ids=lambda case: f"{case['layers']} b{case['batch']} {case['output']}")
def test_counts_of_other_tools_equal_their_recordings(case):
    tools = count(case_config(case)).tools_per_example
    assert {name: tools[name] for name in case["tools_per_example"]} == case["tools_per_example"]


def activated(case, **options):
    *hidden, output = case["activations"]
    return RunConfig(layers=case["layers"], hidden_activation=tuple(hidden), output_activation=output, **options)


@pytest.mark.parametrize("case", TOOLS["cases"], ids=lambda case: f"{case['layers']} {','.join(case['activations'])}")
def test_counts_of_other_tools_for_every_activation(case):
    tools = count(activated(case, loss="mse")).tools_per_example
    assert {name: tools[name] for name in case["tools_per_example"]} == case["tools_per_example"]


def flopscope_config(case):
    names = ("loss", "optimizer", "clip_norm", "weight_decay")
    return activated(case, batch_size=case["batch"], subnormals="keep", **{name: case[name] for name in names})


@pytest.mark.parametrize("case", FLOPSCOPE["cases"], ids=lambda case: f"{case['layers']} b{case['batch']} {case['optimizer']}")
def test_flopscope_counts_equal_the_recording(case):
    """Compare its number, and the ledger's arithmetic by phase where both count the same."""
    ledger, counted = count(flopscope_config(case)), {phase: sum(ops.values()) for phase, ops in case["flops"].items()}
    if case.get("form") == "pytorch":
        counted["update"] -= ledger.parameters  # a division more than the short form of Adam that is run and counted
    step = counted["forward"] + counted["backward"] + counted["update"]
    assert ledger.tools_per_example["flopscope"] * case["batch"] == pytest.approx(step, rel=1e-15)
    per_step, units = ledger.per_step, [*zip(case["layers"][1:], case["activations"], strict=True)]
    applied = case["batch"] * sum(size for size, name in units if name != "identity")
    if all(name in ("relu", "identity") for _, name in units):  # one function of NumPy is one operation
        assert per_step[Phase.FORWARD].total == counted["forward"]
        assert per_step[Phase.BACKWARD].total == counted["backward"]
    assert per_step[Phase.FORWARD].activation == per_step[Phase.BACKWARD].derivative == applied
    scalars = sum((row.operations for row in ledger.rows if row.phase is Phase.UPDATE and row.layer is None), Operations())
    assert per_step[Phase.UPDATE].total - scalars.total == counted["update"]


@pytest.mark.parametrize("case", FLOPSCOPE["cases"], ids=lambda case: f"{case['layers']} b{case['batch']} {case['loss']}")
def test_losses_as_flopscope_counts_them(case):
    """Function by function. flopscope takes an exponential or a logarithm as 16 and a choice as 4 operations; its arrays cannot
    be written to, so that cross-entropy subtracts a whole one-hot row; a negation, and a sum of one term, is an operation.
    """
    found = Counter(case["flops"]["loss"]) + Counter(case["flops"]["loss_gradient"])
    of = count(flopscope_config(case)).per_step[Phase.LOSS]
    rows, outputs = case["batch"], case["layers"][-1]
    elements = rows * outputs
    classes, binary = case["loss"] == "cross_entropy", case["loss"] == "binary_cross_entropy"
    only_there = elements - rows + (rows == 1) if classes else 0
    assert found["add"] + found["subtract"] + found["sum"] == of.add + only_there
    assert found["multiply"] == of.multiply
    assert found["true_divide"] == of.divide
    assert found["exp"] == 16 * of.exp
    assert found["log"] == 16 * of.log
    assert found["max"] + found["maximum"] + found["abs"] + found["greater_equal"] == of.compare
    assert (found["negative"], found["where"]) == ((elements, 4 * elements) if binary else (0, 0))
    assert found["getitem"] == (4 * rows if classes else 0)


def test_flopscope_of_the_30_30_30_network():
    flops = FLOPSCOPE["cases"][0]["flops"]
    forward, update = sum(flops["forward"].values()), sum(flops["update"].values())
    difference = flops["loss"]["subtract"]  # a − t, which the loss and its gradient share
    backward = sum(flops["backward"].values()) + sum(flops["loss_gradient"].values()) + difference
    assert (forward, backward, update) == (3_660, 3_750, 3_720)


def test_the_30_30_30_network():
    ledger = count(RunConfig(layers=(30, 30, 30), output_activation="relu", loss="mse", batch_size=1, epochs=3, examples=100))
    assert ledger.step_total_without_loss.total == 11_070
    assert ledger.naive == 3_600
    assert ledger.ratio_to_naive == pytest.approx(3.075)
    assert ledger.per_step[Phase.LOSS].total == 120
    assert ledger.ratio_with_loss == pytest.approx(11_190 / 3_600)
    document = ledger.to_dict()
    assert document["totals"]["epoch_with_loss"] == 1_119_000
    assert document["totals"]["run_with_loss"] == 3_357_000
    assert document["parameters"] == 1_860


def test_rows_add_up_to_steps_and_examples():
    ledger = count(RunConfig(layers=(7, 5, 3, 2), batch_size=4, optimizer="adam", weight_decay=0.1))
    document = ledger.to_dict()
    for phase, counted in document["per_step"].items():
        for kind in KINDS:
            assert counted[kind] == sum(row[kind] for row in document["rows"] if row["phase"] == phase)
            assert document["per_example"][phase][kind] == counted[kind] / 4
    merged = [operations for _, _, operations in ledger.by_layer()]
    assert sum(merged, Operations()) == ledger.step_total


def test_a_short_last_batch_is_its_own_program():
    config = RunConfig(layers=(4, 3, 2), examples=10, batch_size=4, dataset="teacher", validation=0)
    full, short = count(config).step_total, count(RunConfig(layers=(4, 3, 2), examples=10, batch_size=2)).step_total
    assert sum(count(config).per_epoch.values(), Operations()) == full * 2 + short
    assert count(config).steps_per_epoch == 3


def test_a_batch_larger_than_the_data_set_is_cut_to_its_size():
    config = RunConfig(layers=(4, 3, 2), examples=10, batch_size=64, dataset="teacher")
    assert count(config).batch == 10
    assert sum(count(config).per_epoch.values(), Operations()) == count(config).step_total


def test_unknown_epochs_and_examples_have_no_totals():
    assert count(RunConfig(layers=(4, 2), epochs=None)).run is None
    ledger = count(RunConfig(layers=(4, 2), dataset="somewhere/rows.csv", loss="cross_entropy"))
    assert ledger.per_epoch is None
    assert ledger.to_dict()["run"] is None


def test_networks_of_any_size_are_counted_without_arrays():
    ledger = count(RunConfig(layers=(10**6,) * 65, batch_size=10**6, examples=10**15))
    assert ledger.parameters == 64 * (10**6 + 1) * 10**6
    assert ledger.per_step[Phase.FORWARD].multiply == 64 * 10**18
    start = time.process_time()
    count(RunConfig(layers=(10**6,) * 65))
    assert time.process_time() - start < 2  # a person would notice more; it takes milliseconds


def test_each_kind_of_operation_has_a_formula():
    assert set(FORMULAS) == set(Kind)


def test_bytes_and_memory_of_a_small_network():
    ledger = count(RunConfig(layers=(2, 1), loss="mse", batch_size=1, optimizer="momentum"))
    assert ledger.memory.parameters == ledger.memory.gradients == ledger.memory.optimizer == 3 * 4
    dense = next(row for row in ledger.rows if row.kind is Kind.DENSE)
    assert (dense.bytes_read, dense.bytes_written) == (4 * (2 + 2 + 1), 4)
    assert ledger.bytes_per_step == sum(row.bytes_read + row.bytes_written for row in ledger.rows)
    assert ledger.arithmetic_intensity == ledger.step_total.flops / ledger.bytes_per_step


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_number_of_the_document_has_a_provenance(loss, optimizer):
    document = count(RunConfig(layers=(4, 3, 2), loss=loss, optimizer=optimizer, weight_decay=0.1)).to_dict()
    marked = {path.split(".")[0].removesuffix("[]") for path in document["marks"]}
    assert marked == set(document) - {"marks"}
    json.dumps(document, allow_nan=False)
