"""The text of a TOML file for a configuration means that configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuisim.config import RunConfig
from tuisim.config.presets import PRESETS
from tuisim.config.toml import read_toml, to_toml
from tuisim.config.values import from_mapping

CONFIGS = [
    *(preset.config for preset in PRESETS),
    RunConfig(),
    RunConfig(layers=(64, 32, 32, 10), hidden_activation=("tanh", "relu"), epochs=None, shuffle=False, learning_rate=0.1 + 0.2),
    RunConfig(layers=(5, 2), dataset='./a "b" \\ c\té\x7f.csv', target="sum of = #", threads=2, seed=7),
]


@pytest.mark.parametrize("config", CONFIGS, ids=range(len(CONFIGS)))
def test_the_text_means_the_configuration(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(to_toml(config), encoding="utf-8")
    assert from_mapping(read_toml(tmp_path / "run.toml")) == config
