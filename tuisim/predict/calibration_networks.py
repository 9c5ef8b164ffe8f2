"""The networks that a calibration runs: every kind of operation, over sizes from a few numbers to what fits no cache.

They are the same at each calibration, drawn from a fixed seed; the networks a score is made of are others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

from tuisim.config import RunConfig
from tuisim.config.choices import ACTIVATIONS, LOSSES, OPTIMIZERS

FEW = 30
"""So many, the first ones, hold every kind of operation: a quick calibration makes do with them."""
MANY = 84
LARGE, LARGE_SHARE, LARGE_BATCH = 4, 0.03, 16
"""Of so many beyond the first few one is near the limit, a part of it at least, with a batch that is no small one: where the
work is nearly all products is where most time is spent, and sizes drawn at random seldom come near.
"""
SMALL_SHARE, SMALL_WIDTH, SMALL_BATCH = 0.3, 64, 32
"""A part of the others is small, with few units and few rows, and may be deep: there calls are most of the time, and what one
kind of operation is off by adds up over the layers.
"""
_DEPTHS, _SMALL_DEPTHS = (2, 3, 3, 4, 5), (3, 3, 4, 5, 8, 14, 26)
_WIDTHS = (2, 4, 8, 10, 16, 30, 32, 64, 100, 128, 200, 256, 400, 512, 784, 1024, 2048)
_BATCHES = (1, 1, 2, 4, 8, 16, 32, 32, 64, 128, 256, 512)


def networks(backend: str, dtype: str, threads: int, count: int, most: int) -> Iterator[RunConfig]:
    """`count` networks whose step has at most `most` multiplications in its products forward, small and large in turn."""
    rng = Random(20_26)  # noqa: S311 - not for secrets
    for number in range(count):
        layers, batch = _sizes(rng, most, large=number >= FEW and number % LARGE == 0)
        optimizer = OPTIMIZERS[number % len(OPTIMIZERS)]
        hidden = tuple(ACTIVATIONS[(2 * number + place) % len(ACTIVATIONS)] for place in range(len(layers) - 2))
        plain = number % 5  # the update's additions, one at a time and now and then together
        yield RunConfig(
            layers=layers,
            batch_size=batch,
            hidden_activation=hidden,
            output_activation="identity" if number % 3 else ACTIVATIONS[number % len(ACTIVATIONS)],
            loss=LOSSES[number % len(LOSSES)],
            optimizer=optimizer,
            weight_decay=0.01 if plain in (1, 2) else 0.0,
            clip_norm=1.0 if plain in (2, 3) else None,
            schedule="cosine" if plain in (1, 4) else "constant",
            schedule_steps=10**9 if plain in (1, 4) else None,
            backend=backend,
            dtype=dtype,
            threads=threads,
        ).resolved()


def _sizes(rng: Random, most: int, large: bool) -> tuple[tuple[int, ...], int]:
    """Layer sizes and a batch within the limit; half of the small networks have hidden layers of one size."""
    while True:
        small = not large and rng.random() < SMALL_SHARE
        widest, rows = (SMALL_WIDTH, SMALL_BATCH) if small else (_WIDTHS[-1], _BATCHES[-1])
        depth = rng.choice(_SMALL_DEPTHS if small else _DEPTHS)
        layers = tuple(_one_of(rng, _WIDTHS, 0.5, 2, widest) for _ in range(depth))
        if small and rng.random() < 0.5:
            layers = (layers[0], *layers[1:2] * (depth - 2), layers[-1])
        batch = _one_of(rng, _BATCHES, 0.7, 1, rows)
        # A size's own limit is drawn too, or nearly all of them would be near the largest.
        limit = _between(rng, min(most, 500), most)
        products = batch * sum(n * m for n, m in pairwise(layers))
        if products <= limit and not (large and (products < LARGE_SHARE * most or batch < LARGE_BATCH)):
            return layers, batch


def _one_of(rng: Random, usual: Sequence[int], share: float, low: int, high: int) -> int:
    """One of the usual numbers within the limits for that share, else any number within them."""
    return rng.choice([one for one in usual if one <= high]) if rng.random() < share else _between(rng, low, high)


def _between(rng: Random, low: int, high: int) -> int:
    """A whole number, each ratio as likely as any other."""
    return round(math.exp(rng.uniform(math.log(low), math.log(high))))
