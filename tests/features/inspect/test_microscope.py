"""The microscope against the backends' buffers and the ledger, over random networks."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuisim import RunConfig
from tuisim.accounting import FORMULAS, Operations
from tuisim.engine.look import Look
from tuisim.engine.session import Session
from tuisim.features.inspect.microscope.chain import chain
from tuisim.features.inspect.microscope.reading import Place, Reading, look_at, parse

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "identity", "leaky_relu")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")


def read(session: Session, place: Place, example: int = 0) -> Reading:
    look: Look = look_at(place, example)
    look.prepare(session)
    session.advance(1)
    look.take(session)
    assert look.seen is not None
    assert not look.seen.failure, look.seen.failure
    found: Reading = look.seen.found
    return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[RunConfig, Place, int]:
    layers = tuple(draw(st.lists(st.integers(2, 9), min_size=2, max_size=4)))
    layer = draw(st.integers(1, len(layers) - 1))
    place = Place(layer, draw(st.none() | st.integers(0, layers[layer - 1] - 1)), draw(st.integers(0, layers[layer] - 1)))
    loss = draw(st.sampled_from(["cross_entropy", "mse", "binary_cross_entropy"]))
    config = RunConfig(
        layers=layers,
        dataset="teacher",
        examples=40,
        batch_size=draw(st.integers(1, 12)),
        hidden_activation=draw(st.sampled_from(ACTIVATIONS)),
        loss=loss,
        output_activation=draw(st.sampled_from(["identity", "tanh"])) if loss == "mse" else "identity",
        optimizer=draw(st.sampled_from(OPTIMIZERS)),
        learning_rate=0.01,
        weight_decay=draw(st.sampled_from([0.0, 0.01])),
        clip_norm=draw(st.sampled_from([None, 0.1])),
        backend=draw(st.sampled_from(["numpy", "numba", "scalar"])),
        dtype="float64",
        threads=1,
        seed=draw(st.integers(0, 99)),
    )
    return config, place, draw(st.integers(0, 3))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_every_value_is_that_of_the_buffer_and_the_operations_are_the_ledgers(case: tuple[RunConfig, Place, int]) -> None:
    config, place, steps = case
    session = Session(config)
    if steps:
        session.advance(steps)
    reading = read(session, place)
    links = chain(reading)
    for link in links:
        assert link.value == pytest.approx(link.found, rel=1e-9, abs=1e-12), link.formula
        ledger = sum((FORMULAS[op.kind].count(op) for op in link.ops), Operations())
        assert link.operations * link.times == ledger
        assert link.ops
        if link.terms and link.name != "update":
            assert sum(value for _, value in link.terms) == pytest.approx(link.value, rel=1e-9, abs=1e-12)
    assert links[-1].found == reading.after


def test_the_rate_is_the_schedules() -> None:
    config = RunConfig(
        layers=(4, 3, 2), dataset="teacher", examples=40, batch_size=8, optimizer="adam", schedule="cosine", epochs=3,
        dtype="float64", threads=1,
    )  # fmt: skip
    session = Session(config)
    for _ in range(7):
        update = chain(read(session, Place(1, 2, 1)))[-1]
        assert update.value == pytest.approx(update.found, rel=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba", "scalar"])
def test_a_float32_buffer_is_within_a_few_ulp(backend: str) -> None:
    session = Session(RunConfig(layers=(64, 32, 10), dataset="digits", backend=backend, threads=1))
    session.advance(3)
    for link in chain(read(session, Place(2, 3, 7))):
        assert link.ulps < 64, link.formula


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("2:W[3,7]", Place(2, 3, 7)),
        (" 2 : w[ 3 , 7 ] ", Place(2, 3, 7)),
        ("W[0,1]", Place(1, 0, 1)),
        ("3:b[4]", Place(3, None, 4)),
    ],
)
def test_a_place_is_read_as_it_is_written(text: str, place: Place) -> None:
    assert parse(text) == place
    assert parse(str(place)) == place


@pytest.mark.parametrize("text", ["", "2", "W[1]", "2:W[1,2", "x:W[1,2]", "2:W[-1,2]"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"2:W\[3,7\]"):
        parse(text)


def test_a_place_outside_the_network_is_moved_into_it() -> None:
    assert Place(9, 99, 99).within((5, 4, 3)) == Place(2, 3, 2)
    assert Place(0, None, -1).within((5, 4, 3)) == Place(1, None, 0)
