"""The device and the one thread that owns it: opened when first needed, and said to be lost once it is.

Whoever wants something of the GPU hands a call over and waits; no other thread ever speaks to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

from tuisim.backends.cupy.card import Card
from tuisim.backends.cupy.failures import understood
from tuisim.backends.cupy.owner import Owner
from tuisim.backends.protocol import Costs
from tuisim.errors import BackendError, DeviceLost, TuisimError, printable

Result = TypeVar("Result")


class Device:
    """Hands calls to the card, and its failures back in words."""

    def __init__(self) -> None:
        self._owner = Owner("tuisim-gpu")
        self._card: Card | None = None
        self._lost: DeviceLost | None = None
        self._launch_seconds = 0.0
        self._launched_steps = 0

    def do(self, call: Callable[[Card], Result]) -> Result:
        """The result of `call` with the card.

        Raises MemoryNeeded where the GPU has no room, RunError where it refuses, DeviceLost where it can no longer be used;
        whatever else `call` raises is raised as it is.
        """
        return self._owner.do(lambda: self._try(call))

    def _try(self, call: Callable[[Card], Result]) -> Result:
        if self._lost is not None:
            raise DeviceLost(str(self._lost))
        found: TuisimError | None
        opening = self._card is None
        try:
            if self._card is None:
                self._card = Card()
            opening = False
            return call(self._card)
        except Exception as error:
            found = error if isinstance(error, TuisimError) else understood(error, self._card)
            if found is None and opening:  # CuPy is there and worked when it was asked, in a process of its own
                words = printable(" ".join(str(error).split()), 160)
                found = BackendError(f"backend cupy: the GPU cannot be opened: {type(error).__name__}: {words}")
            if found is None:
                raise
        # Raised out here, so that it does not keep the error, and with it the arrays of its frames, alive.
        if isinstance(found, DeviceLost):
            self._lost = found
        raise found

    def launched(self, steps: int, seconds: float) -> None:
        """Handing so many steps over took so long of the host's time."""
        self._launched_steps += steps
        self._launch_seconds += seconds

    @property
    def compile_seconds(self) -> float | None:
        return None if self._card is None else self._card.compile_seconds

    def costs(self) -> Costs:
        card = self._card
        return Costs(
            transfer_seconds=0.0 if card is None else card.transfer_seconds,
            transfer_bytes=0 if card is None else card.transfer_bytes,
            launch_seconds=self._launch_seconds,
            launched_steps=self._launched_steps,
        )


@cache
def device() -> Device:
    """The process's one."""
    return Device()
