"""The known networks: their figures agree with the totals that papers state."""

from __future__ import annotations

import pytest

from tuisim.features.estimate.known.networks import KNOWN_NETWORKS, KnownNetwork

BY_NAME = {known.name: known for known in KNOWN_NETWORKS}


def test_ten_networks_from_the_oldest_to_the_newest():
    assert len(KNOWN_NETWORKS) == len(BY_NAME) == 10
    assert [known.year for known in KNOWN_NETWORKS] == sorted(known.year for known in KNOWN_NETWORKS)
    for name in ("LeNet-5", "AlexNet", "VGG-16", "ResNet-50", "BERT-base", "GPT-2", "GPT-3"):
        assert name in BY_NAME


@pytest.mark.parametrize("known", KNOWN_NETWORKS, ids=lambda known: known.name)
def test_every_figure_has_a_source_and_derived_ones_say_so(known: KnownNetwork) -> None:
    for source in (known.parameters_source, known.forward_source, known.training_source):
        assert any(str(year) in source for year in range(1989, 2025)) or "not published" in source
    if known.forward % 10_000 or known.forward == known.parameters:
        exact = "connections" in known.forward_source
        assert exact or "derived" in known.forward_source or "2 FLOPs a parameter" in known.forward_source
    assert known.example.startswith(("an image of", "a token"))


@pytest.mark.parametrize(
    ("name", "flops", "within"),
    [
        # Brown et al. 2020, table D.1; Grattafiori et al. 2024, section 1; Amodei & Hernandez 2018 give AlexNet as 0.0058
        # and VGG as 0.098 petaflop/s-days of 8.64e19 operations, to a factor of two or three.
        ("GPT-3", 3.14e23, 0.01),
        ("Llama 3.1 405B", 3.8e25, 0.01),
        ("AlexNet", 0.0058 * 8.64e19, 0.5),
        ("VGG-16", 0.098 * 8.64e19, 0.5),
    ],
)
def test_total_operations_agree_with_published_ones(name, flops, within):
    known = BY_NAME[name]
    seen = known.trained_on()
    assert seen is not None
    assert known.operations * seen == pytest.approx(flops, rel=within)


def test_alexnet_by_its_layers():
    """Five convolutions, the second, fourth and fifth in two groups, and three dense layers."""
    convolutions = ((55, 11, 3, 96), (27, 5, 48, 256), (13, 3, 256, 384), (13, 3, 192, 384), (13, 3, 192, 256))
    dense = 9_216 * 4_096 + 4_096 * 4_096 + 4_096 * 1_000
    forward = sum(size**2 * kernel**2 * inputs * maps for size, kernel, inputs, maps in convolutions) + dense
    assert BY_NAME["AlexNet"].forward == pytest.approx(forward, rel=0.001)


def test_training_is_three_forward_passes_of_two_operations_each():
    assert BY_NAME["LeNet-5"].operations == 6 * 340_908


def test_volume_and_epochs_are_by_default_as_published():
    lenet, gpt2, gpt3, bert = (BY_NAME[name] for name in ("LeNet-5", "GPT-2", "GPT-3", "BERT-base"))
    assert lenet.trained_on() == 60_000 * 20
    assert lenet.trained_on(epochs=1) == 60_000
    assert lenet.trained_on(examples=10) == 200
    assert gpt2.trained_on() is None
    assert gpt2.trained_on(10, 3) == 30
    assert gpt3.trained_on() == 300 * 10**9
    assert gpt3.trained_on(examples=10) is None, "no paper says how many epochs that would be"
    assert bert.trained_on() == 256 * (900_000 * 128 + 100_000 * 512)
    assert bert.trained_on(epochs=1) is None
