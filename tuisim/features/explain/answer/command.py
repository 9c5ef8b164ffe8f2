"""`tuisim answer`: the seven claims of the answer, counted and measured for a network on this machine."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from tuisim.cli.console import message, print_result
from tuisim.cli.options import NOTHING_GIVEN, ConfigFile, Json, Layers, RunOptions, resolve
from tuisim.config import RunConfig
from tuisim.features.explain.answer.answer import QUESTION
from tuisim.features.explain.answer.answer import answer as find_answer
from tuisim.features.explain.answer.view import AnswerState, page
from tuisim.units import layers_text


def answer(
    layers: Layers = None,
    *,
    options: RunOptions = NOTHING_GIVEN,
    config: ConfigFile = None,
    json_: Json = False,
) -> int:
    """Show the claims S1 to S7 of the answer, with figures of this machine; without LAYERS for the question's network."""
    found = find_answer(_chosen(layers, options, config), message)
    print_result(json_, found.to_dict, lambda frame: page(AnswerState(found.config, found.measured), frame))
    return 0


def _chosen(layers: str | None, options: Any, config: str | None) -> RunConfig:
    """Return the configuration; without a file, options that are not given are the question's."""
    if config is None:
        plain = RunConfig(layers=QUESTION.layers)
        texts = {
            field.name: "none" if value is None else str(value)
            for field in fields(options)
            if getattr(options, field.name) is None and (value := getattr(QUESTION, field.name)) != getattr(plain, field.name)
        }
        layers, options = layers or layers_text(QUESTION.layers), replace(options, **texts)
    return resolve(layers, options, config)
