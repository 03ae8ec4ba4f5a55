"""The supervisor's native half: the clock and the handshake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import cffi

from qdkernel.evaluators.sandbox.memory import MemoryFile


class Native:
    """The supervisor's native half: the clock and the handshake, ``native/supervisor.c``.

    Attributes:
        busy_ns: time spent so far in blocks of calls, waking up included; what kernels cost.
    """

    def __init__(self, library: Path) -> None:
        self.busy_ns = 0
        self._ffi = cffi.FFI()
        self._ffi.cdef(
            "int64_t qd_block(void *, int, uint32_t, uint32_t, uint32_t, int64_t, int, int, int);"
            "int64_t qd_freeze(void *, int, uint32_t, uint32_t, uint32_t, int64_t, int);"
            "int64_t qd_thaw(void *, int, uint32_t, int64_t, int, int);"
        )
        self._library = self._ffi.dlopen(str(library))

    def block(self, control: MemoryFile, *arguments: int) -> int:
        """``qd_block``: elapsed nanoseconds, or a negative code. Releases the interpreter lock, as the others do."""
        return self._counted(self._library.qd_block, control, arguments)

    def freeze(self, control: MemoryFile, *arguments: int) -> int:
        """``qd_freeze``: 0, or a negative code."""
        return self._counted(self._library.qd_freeze, control, arguments)

    def thaw(self, control: MemoryFile, *arguments: int) -> int:
        """``qd_thaw``: elapsed nanoseconds, or a negative code."""
        return self._counted(self._library.qd_thaw, control, arguments)

    def _counted(self, call: Callable[..., int], control: MemoryFile, arguments: Iterable[int]) -> int:
        begin = time.monotonic_ns()
        code = int(call(self._ffi.from_buffer(control.bytes), *arguments))
        self.busy_ns += time.monotonic_ns() - begin
        return code
