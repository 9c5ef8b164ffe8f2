"""Data on the device: host arrays, each copied there once while it is among the latest few.

It does not know which rows a step takes.
"""

from __future__ import annotations

from collections import OrderedDict

from tuisim.backends.cupy.card import Card, DeviceArray
from tuisim.backends.protocol import Array

KEPT = 8
"""Arrays: inputs and targets of the block at hand, the one before it, the validation rows and the sample."""


class PlacedRows:
    """Shared by all steps of a network, since they train on the same rows."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[Array, DeviceArray]] = OrderedDict()

    def has(self, *hosts: Array) -> bool:
        """Whether all of these are on the device already."""
        return all(id(host) in self._kept for host in hosts)

    def place(self, card: Card, host: Array) -> DeviceArray:
        """The copy of `host` on the device. An array that may be written to is copied anew each time.

        Raises MemoryNeeded where it has no room although every older one was given up for it.
        """
        key = id(host)  # of an array that is kept, and so no other's
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][1]
        while self._kept and host.nbytes > card.free_bytes():
            self._kept.popitem(last=False)
        copied = card.upload(host if host.flags.c_contiguous else host.copy())
        if not host.flags.writeable:
            self._kept[key] = host, copied
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return copied
