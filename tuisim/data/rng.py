"""The streams of chance that a run's seed is spawned into: weights, split, shuffle, data, each independent of the others.

It does not know what is drawn from them.
"""

from __future__ import annotations

from numpy.random import Generator, SeedSequence, default_rng

WEIGHTS = 0
SPLIT = 1
"""Which rows are held out; (SPLIT, n) makes the held-out rows of an endless source, chunk by chunk."""
SHUFFLE = 2
DATA = 3
"""(DATA,) makes what a synthetic task keeps (centres, a teacher's weights); (DATA, n) the rows of its chunk n."""


def stream(seed: int, *key: int) -> SeedSequence:
    """The stream named by `key`, the same whatever was drawn from any other."""
    return SeedSequence(seed, spawn_key=key)


def generator(seed: int, *key: int) -> Generator:
    """A generator at the beginning of the stream named by `key`."""
    return default_rng(stream(seed, *key))
