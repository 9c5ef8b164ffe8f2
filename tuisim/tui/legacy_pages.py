"""Makers of the pages that do not take a `PageContext` yet. A page's line goes when its screen does; then this file goes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tuisim.errors import DataError
from tuisim.features import Page
from tuisim.predict.predictor import Predictor, here, missing
from tuisim.tui.context import PageContext

LEGACY = {"budget"}


def make(page: Page, context: PageContext) -> Any:
    """Return the screen of a page."""
    module, _, name = page.screen.partition(":")
    screen = getattr(import_module(module), name)
    if page.name not in LEGACY:
        return screen(context)
    config, predictor, lease = context.config, context.predictor, context.lease

    def why() -> str:
        return (predictor.state(config).why_not if predictor is not None else "") or missing()

    def stamp() -> object:
        return None if predictor is None else predictor.stamp

    def outlook() -> Predictor:
        if predictor is None:
            return here()
        if predictor.current is None or predictor.state(config).prediction is None:
            raise DataError(why())
        return predictor.current

    if page.name == "budget":
        return screen(
            config, context.use, outlook, lambda: f"{lease.holder} is at work" * bool(lease.holder), lambda: None, news=stamp
        )
    return screen(config)
