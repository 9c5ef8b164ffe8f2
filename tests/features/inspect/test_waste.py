"""Wasted work against a count product by product."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tuisim import RunConfig
from tuisim.accounting import count
from tuisim.engine.session import Session
from tuisim.features.inspect.waste.waste import Waste, look_at
from tuisim.program import Kind


def waste(session: Session) -> Waste:
    look = look_at()
    look.prepare(session)
    session.advance(1)
    look.take(session)
    assert look.seen is not None
    assert not look.seen.failure, look.seen.failure
    found: Waste = look.seen.found
    return found


@pytest.mark.parametrize("backend", ["numpy", "numba", "scalar"])
def test_products_with_a_zero_factor_are_counted_one_by_one(backend: str) -> None:
    session = Session(RunConfig(layers=(64, 6, 10), dataset="digits", batch_size=5, backend=backend, threads=1))
    session.advance(3)
    weights = session.network.full.read("W1")
    weights[:, 2] = 0.0  # a unit without incoming weights
    session.network.full.write("W1", weights)
    before = [session.network.full.read("W1"), session.network.full.read("W2")]
    found = waste(session)
    assert session.latest is not None
    step, _ = session.latest
    x, a, d1, d2 = (step.read(name) for name in ("X", "a1", "dz1", "dz2"))
    expected = {
        (1, Kind.DENSE): sum(x[b, i] * before[0][i, j] == 0 for b, i, j in product(range(5), range(64), range(6))),
        (2, Kind.DENSE): sum(a[b, i] * before[1][i, j] == 0 for b, i, j in product(range(5), range(6), range(10))),
        (1, Kind.WEIGHT_GRADIENT): sum(x[b, i] * d1[b, j] == 0 for b, i, j in product(range(5), range(64), range(6))),
        (2, Kind.WEIGHT_GRADIENT): sum(a[b, i] * d2[b, j] == 0 for b, i, j in product(range(5), range(6), range(10))),
        (2, Kind.INPUT_GRADIENT): sum(d2[b, j] * before[1][i, j] == 0 for b, i, j in product(range(5), range(6), range(10))),
    }
    assert {(one.layer, one.kind): one.zero for one in found.products} == expected
    ledger = {(row.layer, row.kind): row.operations.multiply for row in count(session.config).rows}
    assert all(one.all == ledger[one.layer, one.kind] for one in found.products)


def test_parameters_that_an_update_leaves_as_they_were_are_counted() -> None:
    session = Session(RunConfig(layers=(64, 6, 10), dataset="digits", batch_size=5, learning_rate=1e-30, threads=1))
    session.network.full.write("b1", np.full(6, -1e3))  # dead units: no gradient in layer 1
    session.network.full.write("b2", np.ones(10))
    found = waste(session)
    first, second = found.updates
    assert (first.without_gradient, first.too_small) == (first.parameters, 0)
    assert second.without_gradient + second.too_small == second.parameters
    assert second.too_small > 0


def test_learnt_examples_and_subnormals_are_counted() -> None:
    config = RunConfig(layers=(4, 3, 2), dataset="teacher", examples=20, batch_size=20, optimizer="momentum", subnormals="keep",
                       dtype="float32", threads=1)  # fmt: skip
    session = Session(config)
    tiny = np.finfo(np.float32).tiny
    state = np.zeros(config.parameter_count, np.float32)
    state[:4] = tiny / 2
    session.network.full.write("velocity", state)
    session.network.full.write("b1", np.full(3, -1e3))
    session.network.full.write("b2", np.array([1e3, -1e3]))
    found = waste(session)
    targets = session.latest[0].read("Y")  # type: ignore[index]
    assert found.learnt == int(np.count_nonzero(targets == 0))
    optimizer = next(one for one in found.subnormals if one.what == "optimizer state")
    assert optimizer.count == 4
