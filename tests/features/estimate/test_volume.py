"""Time estimates for any volume, projections of known networks, and the command that prints them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from cyclopts import App

from tests.support.made_machine_profile import entry, machine_profile
from tests.support.provenance import unmarked
from tuisim import RunConfig, count
from tuisim.errors import ConfigError
from tuisim.features.estimate.known.networks import KNOWN_NETWORKS
from tuisim.features.estimate.known.projection import project_known
from tuisim.features.estimate.volume.command import _document
from tuisim.features.estimate.volume.command import project as command
from tuisim.features.estimate.volume.estimate import EPOCHS, VOLUMES, estimate
from tuisim.predict import predictor, profiles
from tuisim.predict.machine import this_machine
from tuisim.predict.pilot import Pilot
from tuisim.predict.prediction import Interval
from tuisim.predict.predictor import Priced
from tuisim.provenance import Provenance

CONFIG = RunConfig(layers=(64, 32, 10), dataset="digits", loss="cross_entropy", validation=0, epochs=10)
PER_EXAMPLE = Interval(1e-6, 2e-6, 4e-6)
BEST = replace(entry(), best_rate=1e9)


def price(config: RunConfig, own: predictor.Predictor | None = None, timed: object = None) -> Sequence[Priced]:
    """An epoch takes as long as it has examples; one backend is not here, one price is from elsewhere."""
    assert config.examples is not None
    assert config.known_epochs is not None
    step, steps = PER_EXAMPLE.times(config.batch_size), PER_EXAMPLE.times(config.examples * config.known_epochs)
    return (
        Priced("numpy@1", "this one", False, step, steps, None, backend="numpy"),
        Priced("cupy", "this one", False, None, None, None, "no NVIDIA driver", "cupy"),
        Priced("numpy@1", "that [other] one", True, step.times(2), steps.times(2), None, backend="numpy"),
    )


# ── intervals ──


def test_an_interval_is_multiplied_end_by_end():
    assert Interval(1, 2, 4).times(3) == Interval(3, 6, 12)


def test_an_interval_beyond_every_float_is_infinite_and_null_in_a_document():
    beyond = Interval(0.0, 1e300, 1e308).times(10**30)
    assert beyond == Interval(0.0, math.inf, math.inf)
    assert beyond.to_dict() == {"low": 0.0, "likely": None, "high": None}


# ── this network ──


def test_a_price_is_asked_of_the_volumes_own_batches():
    """Whatever the configuration's own volume: a batch larger than that is whole at a larger one."""
    asked: list[tuple[int, int | None]] = []

    def counting(config: RunConfig) -> Sequence[Priced]:
        asked.append((count(config).batch, config.batch_size))
        return price(config)

    estimate(replace(CONFIG, dataset="teacher", examples=100, batch_size=5_000), counting, examples=12_000)
    assert asked == [(5_000, 5_000)]
    estimate(replace(CONFIG, dataset="teacher", batch_size=5_000), counting, examples=100)
    assert asked[1:] == [(100, 100)]


def test_a_schedule_longer_than_a_volume_has_no_part_in_its_price():
    long = replace(CONFIG, schedule="cosine", warmup_steps=1_000, examples=None)
    assert (
        estimate(long, price, examples=32, epochs=1).rows[0].seconds
        == estimate(CONFIG, price, examples=32, epochs=1).rows[0].seconds
    )


RUNS = [
    CONFIG,
    replace(CONFIG, epochs="auto", validation=0.2).fitted(),
    replace(CONFIG, dataset="teacher", examples=333, batch_size=100, optimizer="adamw"),
    replace(CONFIG, dataset="teacher", examples=300_000, validation=0.1),
    replace(CONFIG, dataset="auto", loss="auto", epochs=3),
]


@pytest.mark.parametrize("config", RUNS, ids=lambda config: f"{config.dataset} {config.examples} {config.epochs}")
@pytest.mark.parametrize("timed", [lambda _: None, lambda _: Pilot(Interval(1e-4, 2e-4, 3e-4), 0.05)], ids=["model", "pilot"])
def test_a_run_has_one_time_on_every_page(config, timed):
    """That of Setup and `tuisim predict` is the estimate of its own volume, with the steps and all that comes beside them."""
    own = predictor.Predictor(machine_profile())
    predicted = own.predict(config, pilot=timed(config))
    (row,) = estimate(config, lambda config: own.priced(config, timed)).rows
    assert row.run_seconds == predicted.run_seconds == predicted.wall_seconds
    assert row.seconds == predicted.seconds
    assert predicted.wall_seconds.likely > predicted.seconds.likely


def test_a_run_is_its_epochs():
    found = estimate(CONFIG, price)
    assert (found.examples, found.epochs, found.volume) == (1_797, 10, "digits")
    assert (found.batch, found.steps_per_epoch) == (32, 57)
    seconds = found.rows[0].seconds
    assert seconds is not None
    assert seconds.likely == pytest.approx(2e-6 * 17_970)
    assert seconds.low == pytest.approx(1e-6 * 17_970)
    assert seconds.high == pytest.approx(4e-6 * 17_970)


def test_a_batch_larger_than_the_volume_is_one_short_batch():
    found = estimate(replace(CONFIG, batch_size=5_000), price)
    assert (found.batch, found.steps_per_epoch) == (1_797, 1)
    assert found.rows[0].seconds is not None
    assert found.rows[0].seconds.likely == pytest.approx(2e-6 * 17_970)


def test_operations_are_those_of_the_ledger():
    naive = estimate(replace(CONFIG, batch_size=1, layers=(30, 30, 30), output_activation="relu", loss="mse"), price, 7, 2)
    assert naive.operations == 14 * naive.operations_per_example
    assert naive.operations_per_example > 11_070, "and the loss"


def test_what_has_no_price_has_no_time_and_says_why():
    _, absent, foreign = estimate(CONFIG, price).rows
    assert absent.seconds is None
    assert absent.reason == "no NVIDIA driver"
    assert foreign.foreign
    assert foreign.seconds is not None


def test_volume_and_epochs_must_be_known():
    with pytest.raises(ConfigError, match=r"(?s)examples: give the number.*epochs = none"):
        estimate(replace(CONFIG, dataset="some.csv", epochs=None), price)
    assert estimate(replace(CONFIG, dataset="some.csv", epochs=None), price, 10, 1).examples == 10
    endless = replace(CONFIG, epochs=None, schedule="cosine", schedule_steps=100, warmup_steps=10)
    assert estimate(endless, price, epochs=1).epochs == 1


@pytest.mark.parametrize("epochs", [1, 10**30])
@pytest.mark.parametrize("examples", [1, 10**15, 10**30])
def test_nothing_is_too_large(examples, epochs):
    vast = replace(CONFIG, layers=(10**6, 10**6, 10), batch_size=10**6)
    assert vast.parameter_count > 10**12
    found = estimate(vast, price, examples, epochs)
    assert found.rows[0].seconds is not None
    assert found.rows[0].seconds.likely == pytest.approx(2e-6 * examples * epochs)
    dear = Priced("x", "", False, Interval(1, 1, 1), Interval(1e300, 1e300, 1e300).times(epochs), None)
    beyond = estimate(vast, lambda _: [dear], examples, epochs)
    json.dumps(_document((beyond,), project_known(BEST, examples, epochs)), allow_nan=False)


def test_volumes_go_from_the_digits_over_imagenet_to_beyond():
    assert list(VOLUMES.values()) == [1_797, 60_000, 1_281_167, 10**9, 10**12]
    assert 90 in EPOCHS


# ── known networks ──


def test_known_networks_take_their_operations_over_the_rate():
    found = project_known(BEST)
    for row, known in zip(found.rows, KNOWN_NETWORKS, strict=True):
        assert row.network is known
        if known.name == "GPT-2":
            assert (row.seen, row.operations, row.seconds) == (None, None, None)
        else:
            assert row.seconds is not None
            assert row.seconds == pytest.approx(6 * known.forward * (row.seen or 0) / 1e9)
    assert "a lower bound" in found.assumption
    assert "1.00 GFLOP/s by numpy@1" in found.assumption


def test_known_networks_at_a_given_volume():
    found = project_known(BEST, 1_000, 2)
    assert {row.seen for row in found.rows} == {2_000}


def test_without_a_rate_there_is_no_time():
    found = project_known(None)
    assert {row.seconds for row in found.rows} == {None}
    assert found.rows[0].operations is not None


# ── documents and the command ──


@pytest.mark.parametrize("rate", [BEST, None])
@pytest.mark.parametrize("projected", [True, False])
def test_every_number_of_the_document_is_marked(rate, projected):
    found = _document((estimate(CONFIG, price), estimate(CONFIG, price, 10)) if projected else (), project_known(rate, 5))
    found = json.loads(json.dumps(found, allow_nan=False))
    assert unmarked(found) == set()
    assert set(found["marks"].values()) <= set(Provenance)
    assert unmarked(json.loads(json.dumps(_document((estimate(CONFIG, price),), None)))) == set()


@pytest.fixture
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose prices are known."""
    monkeypatch.setattr(predictor, "priced", price)
    monkeypatch.setattr(predictor, "best_entry", lambda: BEST)


def printed(capsys: pytest.CaptureFixture[str], **given: object) -> str:
    assert command(**given) == 0  # type: ignore[arg-type]
    return capsys.readouterr().out


@pytest.mark.usefixtures("_machine")
def test_one_volume_has_its_interval_and_its_operations(capsys, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('layers = "64-32-10"\nexamples = 60000\nepochs = 90\n')
    out = printed(capsys, config=str(file))
    for expected in (
        "10.8 s",
        "5.40 s",
        "21.6 s",
        "60,000 examples × 90 epochs",
        "cupy: no NVIDIA driver",
        "as on that [other] one",
    ):
        assert expected in out
    assert "ImageNet" not in out
    found = json.loads(printed(capsys, config=str(file), json_=True))
    assert found["projections"][0]["rows"][0]["seconds"] == pytest.approx({"low": 5.4, "likely": 10.8, "high": 21.6})
    assert found["known_networks"] is None


@pytest.mark.usefixtures("_machine")
def test_without_a_volume_there_are_all_of_them(capsys):
    out = printed(capsys, layers="64-32-10", options=_options(epochs="10"))
    for expected in (
        "1,618",
        "digits",
        "Fashion-MNIST",
        "ImageNet",
        "a trillion",
        "10 epochs",
        "numpy@1: as on that [other] one",
    ):
        assert expected in out


@pytest.mark.usefixtures("_machine")
def test_known_networks_alone_and_as_json(capsys):
    out = printed(capsys, known=True)
    assert all(known.name in out for known in KNOWN_NETWORKS)
    assert "9.96 million years" in out, "GPT-3 at 1 GFLOP/s"
    assert "a lower bound" in out
    found = json.loads(printed(capsys, known=True, json_=True))
    assert found["projections"] == []
    assert "Brown et al. 2020" in found["known_networks"]["rows"][7]["sources"]["training"]
    assert found["marks"]["known_networks.rows[].seconds"] == "projected"


@pytest.mark.usefixtures("_machine")
def test_a_mistake_is_named():
    with pytest.raises(ConfigError, match="layers"):
        command("4-auto-2")
    with pytest.raises(ConfigError, match="epochs = none"):
        command("64-32-10", options=_options(epochs="none"))
    for text in ("0", "many", "1e99"):
        with pytest.raises(ConfigError, match="examples"):
            command(known=True, options=_options(examples=text))


def _options(**given: str) -> object:
    from tuisim.cli.options import Options

    return Options(**given)


@pytest.mark.usefixtures("_machine")
def test_volumes_are_written_as_people_write_them(capsys):
    app = App()
    app.command(command, name="project")
    arguments = ["project", "64-32-10", "--examples", "1e15", "--json"]
    assert app(arguments, exit_on_error=False, result_action="return_value") == 0
    assert json.loads(capsys.readouterr().out)["projections"][0]["examples"] == 10**15


def test_an_outdated_machine_profile_is_named(capsys):
    profiles.keep(machine_profile(machine=replace(this_machine(), numpy="1.0.0")))
    assert command("64-32-10") == 0
    out, err = capsys.readouterr()
    assert "nothing has been measured" not in out
    assert "low" not in out, "no table without rows"
    assert err.startswith("tuisim: the machine profile is outdated (numpy was 1.0.0")
    assert command(known=True) == 0
    assert "no rate of this machine is known" in capsys.readouterr().out


def test_without_a_machine_profile_it_says_so(capsys):
    assert command("64-32-10") == 0
    out, err = capsys.readouterr()
    assert "nothing has been measured here yet" in out
    assert err == ""
