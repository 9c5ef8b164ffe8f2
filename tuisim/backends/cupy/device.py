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
from tuisim.errors import DeviceLost, TuisimError

Result = TypeVar("Result")

OPENING_SECONDS = 60.0
"""For the driver to wake and CuPy to be imported; a slow disk may take half of it."""


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
        if self._lost is not None:
            raise DeviceLost(str(self._lost))
        if self._card is None:
            self._open()
        return self._owner.do(lambda: self._try(call))

    def _open(self) -> None:
        """A driver that answered in a process of its own may still hang in this one, and then nothing more is handed to it."""
        try:
            self._owner.do(lambda: self._try(lambda card: None), OPENING_SECONDS)
        except TimeoutError:
            self._lost = DeviceLost(f"the GPU did not answer within {OPENING_SECONDS:g} s; start tuisim again to go on")
            raise DeviceLost(str(self._lost)) from None

    def _try(self, call: Callable[[Card], Result]) -> Result:
        if self._lost is not None:
            raise DeviceLost(str(self._lost))
        found: TuisimError | None
        try:
            if self._card is None:
                self._card = Card()
            return call(self._card)
        except Exception as error:
            found = error if isinstance(error, TuisimError) else understood(error, self._card)
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
