"""The networks that a calibration times: every kind of operation, from a few numbers to what exceeds all caches.

They are the same at each calibration, drawn with a fixed seed; `tuisim score` uses other networks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS, LOSSES, OPTIMIZERS

FEW = 40
"""The first networks, which hold every kind of operation: a quick calibration times these."""
MANY = 84
LARGE_FROM, LARGE, LARGE_SHARE, LARGE_BATCH = 30, 4, 0.03, 16
"""From this number on, one network in four has products near the limit and a batch that is not small: training spends most time
on large products, and random sizes seldom reach them.
"""
SMALL_SHARE, SMALL_WIDTH, SMALL_BATCH = 0.3, 64, 32
"""Share of the other networks with few units and rows; they may be deep, so that call overhead dominates."""
_DEPTHS, _SMALL_DEPTHS = (2, 3, 3, 4, 5), (3, 3, 4, 5, 8, 14, 26)
_WIDTHS = (2, 4, 8, 10, 16, 30, 32, 64, 100, 128, 200, 256, 400, 512, 784, 1024, 2048)
_BATCHES = (1, 1, 2, 4, 8, 16, 32, 32, 64, 128, 256, 512)


def networks(backend: str, dtype: str, threads: int, count: int, limit: int) -> Iterator[RunConfig]:
    """Yield `count` networks with at most `limit` multiplications in the products of a forward step."""
    rng = Random(20_26)  # noqa: S311 - not for secrets
    for number in range(count):
        layers, batch = _sizes(rng, limit, large=number >= LARGE_FROM and number % LARGE == 0)
        optimizer = OPTIMIZERS[number % len(OPTIMIZERS)]
        hidden = tuple(ACTIVATIONS[(2 * number + place) % len(ACTIVATIONS)] for place in range(len(layers) - 2))
        extras = number % 5  # decay, clipping and a schedule, one at a time and sometimes together
        yield RunConfig(
            layers=layers,
            batch_size=batch,
            hidden_activation=hidden,
            output_activation="identity" if number % 3 else ACTIVATIONS[number % len(ACTIVATIONS)],
            loss=LOSSES[number % len(LOSSES)],
            optimizer=optimizer,
            weight_decay=0.01 if extras in (1, 2) else 0.0,
            clip_norm=1.0 if extras in (2, 3) else None,
            schedule="cosine" if extras in (1, 4) else "constant",
            schedule_steps=10**9 if extras in (1, 4) else None,
            backend=backend,
            dtype=dtype,
            threads=threads,
        ).resolved()


def _sizes(rng: Random, limit: int, large: bool) -> tuple[tuple[int, ...], int]:
    """Draw layer sizes and a batch within the limit; half of the small networks have hidden layers of one size."""
    while True:
        small = not large and rng.random() < SMALL_SHARE
        widest, rows = (SMALL_WIDTH, SMALL_BATCH) if small else (_WIDTHS[-1], _BATCHES[-1])
        depth = rng.choice(_SMALL_DEPTHS if small else _DEPTHS)
        layers = tuple(_size(rng, _WIDTHS, 0.5, 2, widest) for _ in range(depth))
        if small and rng.random() < 0.5:
            layers = (layers[0], *layers[1:2] * (depth - 2), layers[-1])
        batch = _size(rng, _BATCHES, 0.7, 1, rows)
        # Each network has a limit of its own, or nearly all of them would be near the largest.
        own_limit = _between(rng, min(limit, 500), limit)
        products = batch * sum(n * m for n, m in pairwise(layers))
        if products <= own_limit and not (large and (products < LARGE_SHARE * limit or batch < LARGE_BATCH)):
            return layers, batch


def _size(rng: Random, usual: Sequence[int], share: float, low: int, high: int) -> int:
    """Draw one of the usual sizes within the bounds with probability `share`, else any size within them."""
    return rng.choice([one for one in usual if one <= high]) if rng.random() < share else _between(rng, low, high)


def _between(rng: Random, low: int, high: int) -> int:
    """Draw a whole number, uniform in its logarithm."""
    return round(math.exp(rng.uniform(math.log(low), math.log(high))))
