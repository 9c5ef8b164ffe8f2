"""The fields of a run: words, bounds, defaults, and texts read and written."""

import dataclasses
import re

import pytest

from tuisim.config import FIELDS, RunConfig
from tuisim.config.values import from_mapping, from_texts, to_texts
from tuisim.errors import ConfigError

RUN = RunConfig(
    layers=(4, 3, 3, 2),
    epochs=10,
    hidden_activation=("tanh", "relu"),
    learning_rate=1e-5,
    shuffle=False,
    target="y",
    drop=("a", "b"),
    clip_norm=2.0,
)


def test_the_table_has_the_fields_of_the_dataclass_in_their_order():
    assert list(FIELDS) == [field.name for field in dataclasses.fields(RunConfig)]
    assert list(dict.fromkeys(field.group for field in FIELDS.values())) == ["network", "training", "data", "machine"]


@pytest.mark.parametrize("field", FIELDS.values(), ids=list(FIELDS))
def test_a_field_has_words_that_fit_the_form(field):
    assert field.help.endswith(".")
    assert 0 < len(field.hint) <= 17
    assert len(field.blank) <= 22
    assert field.label == field.name.replace("_", " ")


@pytest.mark.parametrize("field", [field for field in FIELDS.values() if field.name != "layers"], ids=lambda field: field.name)
def test_a_default_is_right_and_is_read_from_its_text(field):
    assert field.refusal(field.default) == ""
    text = field.text(field.default)
    assert (field.parse(text) if text else None) == field.default
    assert field.read("") == (None if field.none else field.default)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("layers", "64-32-10", (64, 32, 10)),
        ("hidden_activation", "relu, tanh", ("relu", "tanh")),
        ("epochs", "none", None),
        ("examples", "1e6", 1_000_000),
        ("validation", "20 %", 0.2),
        ("shuffle", "no", False),
        ("target", "none", None),
        ("target", "a, b", ("a", "b")),
        ("drop", "id", "id"),
        ("missing", "mean", "mean"),
        ("seed", "1,000", 1_000),
    ],
)
def test_a_text_is_parsed_by_the_type_of_its_field(name, text, value):
    assert FIELDS[name].read(text) == value


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("batch_size", "0", "a whole number, 1 or more"),
        ("epochs", "0", "a whole number, 1 or more, or auto (none: until stopped)"),
        ("learning_rate", "0", "a number above 0 (none: optimizer default)"),
        ("momentum", "1", "a number from 0 to less than 1"),
        ("threads", "2000", "a whole number from 1 to 1,024 (none: by the free cores)"),
        ("optimizer", "sdg", "unknown; did you mean sgd? (one of sgd, momentum, nesterov, rmsprop, adam, adamw)"),
        ("seed", "x", "not a number; write 10000 or 1e4"),
    ],
)
def test_a_wrong_text_is_refused_with_a_remedy(name, text, remedy):
    with pytest.raises(ValueError, match=re.escape(remedy)):
        FIELDS[name].read(text)


def test_texts_and_plain_values_mean_the_same():
    assert from_texts(to_texts(RUN)).config == RUN
    assert from_mapping({name: text for name, text in to_texts(RUN).items() if text} | {"epochs": 10}) == RUN


def test_a_wrong_layer_hides_no_other_mistake():
    reading = from_texts(to_texts(RUN) | {"layers": "4-x", "seed": "-1", "loss": "mze"})
    assert {mistake.field for mistake in reading.mistakes} == {"layers", "seed", "loss"}
    with pytest.raises(ConfigError) as refused:
        from_mapping({"seed": -1, "unknown": 3})
    assert {mistake.field for mistake in refused.value.mistakes} == {"seed", "unknown"}


def test_a_mistake_that_changes_no_count_leaves_the_run_countable():
    uncounted = from_texts(to_texts(RUN) | {"seed": "-1", "threads": "x"})
    assert uncounted.config is None
    assert uncounted.countable is not None
    assert uncounted.countable.layers == RUN.layers
    assert from_texts(to_texts(RUN) | {"batch_size": "0"}).countable is None
