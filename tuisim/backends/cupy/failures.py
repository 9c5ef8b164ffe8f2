"""What CuPy, CUDA and cuBLAS raise, in tuisim's words: no room, refused, or the device is lost.

It knows their errors by name; what was being done when they were raised is not its concern.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from tuisim import units
from tuisim.errors import BackendError, DeviceLost, MemoryNeeded, RunError, TuisimError, printable, said

if TYPE_CHECKING:
    from tuisim.backends.cupy.card import Card

_CUDA = ("CUDARuntimeError", "CUDADriverError", "CUBLASError", "CompileException", "NVRTCError")
_ITS_OWN = (RuntimeError, OSError, ImportError)
"""What CuPy raises besides: a library it cannot load, a folder it cannot write to. Our own mistakes are of other kinds."""
_NO_ROOM = ("cudaErrorMemoryAllocation", "CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED")


def understood(error: BaseException, card: Card | None) -> TuisimError | None:
    """What `error` means, once what it kept alive has been let go; none where it does not come from the GPU, `card`.

    Without a card it was being opened, and whatever was raised comes from there.

    After an error of CUDA's the device is tried: some leave it as it was, others end every use of it by this process.
    """
    kind, words = type(error).__name__, printable(" ".join(str(error).split()), 160)
    # A cuBLAS handle that finds no memory says that it is not initialized.
    unopened = card is None and "CUBLAS_STATUS_NOT_INITIALIZED" in words
    no_room = unopened or isinstance(error, MemoryError) or any(name in words for name in _NO_ROOM)
    if card is not None and not no_room and kind not in _CUDA and not isinstance(error, _ITS_OWN):
        return None
    _let_go(error)
    words = said(words) or "it does not say why"
    if card is None:  # it worked when it was asked in a process of its own
        return _no_room(card) if no_room else BackendError(f"backend cupy: the GPU cannot be opened: {words}")
    lost = _lost(card)
    if lost is not None:
        return DeviceLost(f"the GPU failed and this process can no longer use it ({lost}); start tuisim again to go on")
    return _no_room(card) if no_room else RunError(f"the GPU refused: {words}")


def _let_go(error: BaseException) -> None:
    """The frames of a traceback hold the arrays that were being made."""
    traceback.clear_frames(error.__traceback__)
    error.__traceback__ = None
    error.__context__ = None


def _lost(card: Card) -> str | None:
    """Why the device answers no more; none where it does."""
    try:
        card.wait()
        card.free_bytes()
    except Exception as error:  # whatever a dead context raises, it is dead
        return printable(str(error).replace("\n", " "), 120)
    return None


def _no_room(card: Card | None) -> MemoryNeeded:
    if card is None:
        return MemoryNeeded("the GPU has no memory left; nvidia-smi shows which programs hold it")
    card.give_back()
    free = card.free_bytes()
    return MemoryNeeded(f"the GPU's memory is full: {units.size(free)} of its {units.size(card.total_bytes)} are free", free)
