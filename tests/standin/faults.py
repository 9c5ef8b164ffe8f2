"""The errors of the emulator: what a kernel did wrong, on which line, in which thread.

It does not know how they are found."""

Index3 = tuple[int, int, int]


class KernelError(Exception):
    """A kernel did what would be undefined, or garbage, on a GPU; each part that is known is an attribute."""

    def __init__(
        self,
        message: str,
        *,
        kernel: str = "",
        line: int = 0,
        array: str = "",
        index: int | None = None,
        thread: Index3 | None = None,
        block: Index3 | None = None,
    ):
        self.message, self.kernel, self.line = message, kernel, line
        self.array, self.index, self.thread, self.block = array, index, thread, block
        where = [f"kernel {kernel}"] if kernel else []
        where += [f"line {line}"] if line else []
        where += [f"thread {thread} of block {block}"] if thread is not None else []
        super().__init__(", ".join(where) + (": " if where else "") + message)


class CompileError(KernelError):
    """The source is outside the subset, or breaks a rule that needs no run to see."""
