"""The one thread that uses the GPU: CUDA's handles and streams belong to a thread.

The device is opened on first use. Errors of CuPy are translated, and a device that is lost is not used again.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TypeVar

from tuisim.backends.cupy.failures import translate
from tuisim.backends.cupy.gpu import Gpu
from tuisim.backends.owner_thread import OwnerThread
from tuisim.backends.protocol import Costs
from tuisim.errors import DeviceLost, TuisimError

Result = TypeVar("Result")

OPEN_SECONDS = 60.0
"""Time for the driver to wake and CuPy to be imported; a slow disk may take half of it."""
EXIT_SECONDS = 2.0
"""Time to finish the current job when the program ends."""


class GpuThread:
    """The owner thread of the GPU: executes calls with the open device and translates its errors."""

    def __init__(self) -> None:
        self._owner = OwnerThread("tuisim-gpu")
        self._gpu: Gpu | None = None
        self._lost: DeviceLost | None = None
        self._launch_seconds = 0.0
        self._launched_steps = 0

    def do(self, call: Callable[[Gpu], Result]) -> Result:
        """Return the result of `call` with the GPU.

        Raises MemoryNeeded if it has too little memory, RunError if it refuses, DeviceLost if it can no longer be used, and
        other exceptions of `call` unchanged.
        """
        if self._lost is not None:
            raise DeviceLost(str(self._lost))
        if self._gpu is None:
            self._open()
        return self._owner.do(lambda: self._try(call))

    def _open(self) -> None:
        """Open the device. A driver that worked in the probe's process may still hang in this one."""
        try:
            self._owner.do(lambda: self._try(lambda gpu: None), OPEN_SECONDS)
            atexit.register(self._finish)
        except TimeoutError:
            self._lost = DeviceLost(f"the GPU did not answer within {OPEN_SECONDS:g} s; restart tuisim to continue")
            raise DeviceLost(str(self._lost)) from None

    def _finish(self) -> None:
        """Wait for the current call: the program should not end in the middle of a call to the driver."""
        with suppress(TimeoutError):
            self._owner.do(lambda: None, EXIT_SECONDS)

    def _try(self, call: Callable[[Gpu], Result]) -> Result:
        if self._lost is not None:
            raise DeviceLost(str(self._lost))
        found: TuisimError | None
        try:
            if self._gpu is None:
                self._gpu = Gpu()
            return call(self._gpu)
        except Exception as error:
            found = error if isinstance(error, TuisimError) else translate(error, self._gpu)
            if found is None:
                raise
        # Raised outside of the handler, so that it does not keep the error, and the arrays in its frames, alive.
        if isinstance(found, DeviceLost):
            self._lost = found
        raise found

    def add_launches(self, steps: int, seconds: float) -> None:
        """Record the host time of launching some steps."""
        self._launched_steps += steps
        self._launch_seconds += seconds

    @property
    def compile_seconds(self) -> float | None:
        """Seconds spent compiling kernels or loading them from CuPy's cache; None before the first."""
        return None if self._gpu is None else self._gpu.compile_seconds

    def costs(self) -> Costs:
        """Return the overheads so far."""
        gpu = self._gpu
        return Costs(
            transfer_seconds=0.0 if gpu is None else gpu.transfer_seconds,
            transfer_bytes=0 if gpu is None else gpu.transfer_bytes,
            launch_seconds=self._launch_seconds,
            launched_steps=self._launched_steps,
        )


@cache
def gpu_thread() -> GpuThread:
    """Return the thread of this process."""
    return GpuThread()
