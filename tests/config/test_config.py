"""RunConfig and TOML files: values, mistakes and bounds."""

import dataclasses
import os

import numpy as np
import pytest

from tuisim import RunConfig
from tuisim.config import FIELDS
from tuisim.config.choices import LEARNING_RATES, OPTIMIZERS
from tuisim.config.known_data import DataShape
from tuisim.config.presets import PRESETS
from tuisim.config.toml import read_toml
from tuisim.config.values import from_mapping
from tuisim.errors import ConfigError, ExitCode
from tuisim.units import AUTO


def mistakes(**given):
    with pytest.raises(ConfigError) as caught:
        RunConfig(**given)
    return {mistake.field: mistake.remedy for mistake in caught.value.mistakes}


def test_without_any_field_the_digits_decide_the_network():
    config = RunConfig()
    assert (config.layers[0], config.layers[-1], config.dataset, config.loss) == (AUTO, AUTO, "auto", "auto")
    fitted = config.fitted()
    assert (fitted.layers, fitted.dataset, fitted.loss) == ((64, config.layers[1], 10), "digits", "cross_entropy")
    assert fitted.output_activation == "identity"
    assert from_mapping(config.to_dict()) == config == RunConfig(layers="auto") == from_mapping({})
    assert config.to_dict()["layers"] == ["auto", config.layers[1], "auto"]


@pytest.mark.parametrize(
    ("given", "layers", "dataset", "loss"),
    [
        ({"dataset": "moons"}, (2, 8, 2), "moons", "cross_entropy"),
        ({"dataset": "spirals", "layers": ("auto", 8, 5)}, (2, 8, 5), "spirals", "cross_entropy"),
        ({"dataset": "sine"}, (1, 8, 1), "sine", "mse"),
        ({"dataset": "fashion_mnist"}, (784, 8, 10), "fashion_mnist", "cross_entropy"),
        ({"dataset": "digits", "loss": "mse"}, (64, 8, 10), "digits", "mse"),
        ({"dataset": "teacher", "layers": "12-8-3"}, (12, 8, 3), "teacher", "cross_entropy"),
        ({"dataset": "teacher", "layers": "12-8-1"}, (12, 8, 1), "teacher", "mse"),
        (
            {"dataset": "teacher", "layers": "12-8-1", "loss": "binary_cross_entropy"},
            (12, 8, 1),
            "teacher",
            "binary_cross_entropy",
        ),
        ({"dataset": "xor", "layers": "2-8-1"}, (2, 8, 1), "xor", "binary_cross_entropy"),
        ({"layers": "64-8-10"}, (64, 8, 10), "digits", "cross_entropy"),
        ({"layers": "64-8-auto"}, (64, 8, 10), "digits", "cross_entropy"),
        ({"layers": "64-8-10", "loss": "mse"}, (64, 8, 10), "teacher", "mse"),
        ({"layers": "30-8-30"}, (30, 8, 30), "teacher", "cross_entropy"),
    ],
)
def test_the_data_decide_dataset_ends_and_loss_in_this_order(given, layers, dataset, loss):
    given = {"layers": ("auto", 8, "auto")} | given
    config = RunConfig(**given)
    fitted = config.fitted()
    assert (fitted.layers, fitted.dataset, fitted.loss, fitted.output_activation) == (layers, dataset, loss, "identity")
    assert fitted.is_fitted
    assert fitted.fitted() is fitted
    assert config.resolved().loss == loss
    assert config.loss == given.get("loss", "auto")


@pytest.mark.parametrize(
    ("shape", "layers", "fitted", "loss"),
    [
        (DataShape(4, 3, "classes"), "auto-8-auto", (4, 8, 3), "cross_entropy"),
        (DataShape(4, 2, "classes"), "auto-8-1", (4, 8, 1), "binary_cross_entropy"),
        (DataShape(4, 5, "classes", numeric=True), "auto-8-1", (4, 8, 1), "mse"),
        (DataShape(13, 1, "numbers"), "auto-8-auto", (13, 8, 1), "mse"),
        (DataShape(9, 6, "labels"), "auto-auto", (9, 6), "binary_cross_entropy"),
        (DataShape(4, 3, "classes"), "7-8-2", (7, 8, 2), "cross_entropy"),  # refused when the rows are loaded
    ],
)
def test_a_file_decides_by_its_shape(shape, layers, fitted, loss):
    config = RunConfig(layers=layers, dataset="a.csv")
    found = config.fitted(shape)
    assert (found.layers, found.loss, found.dataset) == (fitted, loss, "a.csv")
    with pytest.raises(ConfigError, match=r"a\.csv"):
        config.fitted()
    assert config.resolved().loss == "auto"


@pytest.mark.parametrize("layers", [(4, "auto", 2), ("auto",), "4-auto-2", (4, -1, 2)])
def test_only_an_end_may_be_auto(layers):
    assert "layers" in mistakes(layers=layers)


def test_all_mistakes_are_reported_each_with_its_field():
    found = mistakes(
        layers=(3, 0, 2), loss="mze", batch_size=0, hidden_activation="rely", validation=1.0, seed=-1, dtype="float16"
    )
    assert set(found) == {"layers", "loss", "batch_size", "hidden_activation", "validation", "seed", "dtype"}
    assert "hidden layer 1" in found["layers"]
    assert "did you mean mse?" in found["loss"]
    assert "did you mean relu?" in found["hidden_activation"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("layers", (5,)),
        ("layers", (5, True)),
        ("layers", (2,) * 66),
        ("layers", "64-x-y"),
        ("hidden_activation", ("relu", "tanh")),
        ("hidden_activation", 3),
        ("examples", 0),
        ("epochs", 1.5),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("weight_decay", -0.1),
        ("shuffle", "yes"),
        ("threads", 0),
        ("optimizer", "sdg"),
        ("dataset", "digitz"),
        ("backend", ""),
        ("initializer", None),
        ("task", "guess"),
    ],
)
def test_one_wrong_field(field, value):
    given = {"layers": (4, 3, 2)} | {field: value}
    assert field in mistakes(**given)


def test_numbers_too_large_for_a_float_are_mistakes():
    assert set(mistakes(layers="64-x-10", loss="mze", learning_rate=10**400, weight_decay=10**400)) == {
        "layers",
        "loss",
        "learning_rate",
        "weight_decay",
    }


def test_64_layers_of_weights_are_accepted():
    assert len(RunConfig(layers=(1,) * 65).activations) == 64


def test_activations_are_one_per_layer_of_weights():
    assert RunConfig(layers=(4, 3, 3, 2), hidden_activation=["relu", "tanh"]).activations == ("relu", "tanh", "identity")
    assert RunConfig(layers=(4, 3, 2), hidden_activation="tanh", output_activation="relu").activations == ("tanh", "relu")
    assert RunConfig(layers=(4, 2), hidden_activation=()).activations == ("identity",)


def test_resolved_replaces_every_default():
    for optimizer in OPTIMIZERS:
        resolved = RunConfig(layers=(4, 2), optimizer=optimizer).resolved()
        assert resolved.learning_rate == LEARNING_RATES[optimizer]
        assert resolved.threads >= 1
        assert resolved.dataset == "teacher"
    assert RunConfig(layers=(64, 10)).resolved().dataset == "digits"
    assert RunConfig(layers=(64, 10), loss="mse").resolved().dataset == "teacher"


def test_a_configuration_is_frozen_and_survives_plain_values():
    config = RunConfig(layers=[64, 32, 10], hidden_activation=["tanh"], epochs=None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1
    assert from_mapping(config.to_dict()) == config
    assert set(config.to_dict()) == set(FIELDS)


def test_an_unknown_key_is_refused_with_the_closest_name():
    with pytest.raises(ConfigError, match="did you mean batch_size"):
        from_mapping({"layers": [4, 2], "batchsize": 3})


def test_a_toml_file_is_read(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('layers = [64, 32, 10]\nbatch-size = 16\nhidden_activation = "tanh"\n')
    assert from_mapping(read_toml(path)) == RunConfig(layers=(64, 32, 10), batch_size=16, hidden_activation="tanh")
    path.write_text("layers = [64, ")
    with pytest.raises(ConfigError, match="is not TOML") as caught:
        read_toml(path)
    assert caught.value.exit_code is ExitCode.BAD_CONFIGURATION
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("layers = " + "[" * 5_000, "more than 8 levels deep"),
        ("layers = [", "is not TOML"),
        ("layers = [4, 2]\n" + "a." * 130_000 + "a = 1", "more than 8 levels deep"),
        ("layers = [4, 2]\n" + " . ".join(["a", "'b'", '"c"'] * 3) + " = 1", "more than 8 levels deep"),
        ("layers = [4, 2]\n[" + "a." * 1_000 + "a]", "more than 8 levels deep"),
        ("a = {b = " * 9, "more than 8 levels deep"),
        ("".join(f"k{number} = 1\n" for number in range(20_000)), "more than 256 keys"),
        ("a = {" + ",".join(f"k{number} = 1" for number in range(20_000)), "more than 256 keys"),
        ("[[a]]\n" * 20_000, "more than 256 arrays and tables"),
        ("a = [" + "[]," * 20_000 + "]", "more than 256 arrays and tables"),
        ('x = "' + '\\"' * 130_000, "is not TOML"),
        ('"""\\' * 60_000, "is not TOML"),
        ("layers = [4, 2]\nseed = " + "9" * 5_000, "is not TOML"),
        ("batch-size = 3\nbatch_size = 4", "twice"),
        ("# " + "x" * 300_000, "larger than"),
    ],
)
def test_invalid_or_too_large_toml_is_refused(tmp_path, text, reason):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        read_toml(path)


def test_brackets_in_strings_and_comments_do_not_count_towards_the_bounds(tmp_path):
    """Only brackets and dots outside of strings and comments are counted."""
    marks = "[{a.b.c.d.e.f.g.h.i.j = 1}]" * 300
    text = f"""# {marks}
layers = [{", ".join(["8"] * 65)}]
hidden-activation = [{", ".join(["'relu'"] * 63)}]
learning_rate = 0.5
dataset = "{marks}\\"{marks}" # {marks}
target = '''
{marks}''''
"""
    path = tmp_path / "run.toml"
    path.write_text(text)
    values = read_toml(path)
    assert values["dataset"] == f'{marks}"{marks}'
    assert values["target"] == f"{marks}'"
    assert len(values["layers"]) == 65


@pytest.mark.parametrize("value", ["0x" + "f" * 20_000, "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z"])
def test_an_unprintable_value_is_reported_in_one_line(tmp_path, value):
    path = tmp_path / "run.toml"
    path.write_text(f"layers = {value}")
    with pytest.raises(ConfigError, match="layers = ") as caught:
        from_mapping(read_toml(path))
    assert "datetime" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
def test_a_pipe_a_loop_and_a_folder_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, words in (("pipe", "not a regular file"), ("loop", "cannot be read"), (".", "not a regular file")):
        with pytest.raises(ConfigError, match=words):
            read_toml(tmp_path / name)


def test_toml_with_a_byte_order_mark_and_crlf_is_read(tmp_path):
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbflayers = [4, 2]\r\n")
    assert read_toml(path) == {"layers": [4, 2]}


@pytest.mark.parametrize("value", [True, False])
def test_numpy_truth_values_become_those_of_python(value):
    config = RunConfig(layers=(4, 2), shuffle=np.bool_(value), early_stopping=np.bool_(value))
    assert config.shuffle is value
    assert config.early_stopping == ("yes" if value else "no")


def test_numpy_numbers_become_python_numbers():
    config = RunConfig(layers=np.array([4, 3, 2]), epochs=np.int64(3), learning_rate=np.float32(0.5), batch_size=np.int32(8))
    assert config == RunConfig(layers=(4, 3, 2), epochs=3, learning_rate=0.5, batch_size=8)
    assert type(config.epochs) is int


def test_control_characters_never_reach_the_terminal():
    with pytest.raises(ConfigError) as caught:
        RunConfig(layers=(4, 2), loss="\x1b[31mred\x07")
    assert "\x1b" not in str(caught.value)


def test_the_first_preset_is_the_network_of_the_question():
    assert PRESETS[0].config.layers == (30, 30, 30)
    assert PRESETS[0].config.batch_size == 1
    assert all(preset.config.epochs is None for preset in PRESETS)
