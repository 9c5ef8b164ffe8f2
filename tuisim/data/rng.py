"""The independent random streams spawned from a run's seed: weights, split, shuffle, data."""

from __future__ import annotations

from numpy.random import Generator, SeedSequence, default_rng

WEIGHTS = 0
SPLIT = 1
"""The split into training and validation rows; (SPLIT, n) generates chunk n of a synthetic dataset's validation rows."""
SHUFFLE = 2
DATA = 3
"""(DATA,) draws what a synthetic task keeps (centres, a teacher's weights); (DATA, n) generates its chunk n."""


def stream(seed: int, *key: int) -> SeedSequence:
    """Return the stream named by `key`, which does not depend on what was drawn from any other."""
    return SeedSequence(seed, spawn_key=key)


def generator(seed: int, *key: int) -> Generator:
    """Return a generator at the beginning of the stream named by `key`."""
    return default_rng(stream(seed, *key))
