"""The supervisor's native half: the clock and the handshake with a child, ``native/supervisor.c``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from qdkernel.evaluators.sandbox.memory import MemoryFile

DECLARATIONS = """
int64_t qd_block(void *, int, uint32_t, uint32_t, uint32_t, int64_t, int, int, int, int64_t *);
int64_t qd_freeze(void *, int, uint32_t, uint32_t, uint32_t, int64_t, int);
int64_t qd_thaw(void *, int, uint32_t, int64_t, int, int, int64_t *);
"""
"""What the supervisor's module declares; ``native/supervisor.c`` documents the functions."""


class Native:
    """Runs blocks of calls in a child and measures their time.

    Args:
        module: an extension module with the functions of ``DECLARATIONS``.

    Attributes:
        busy_ns: nanoseconds spent so far in blocks of calls, waking the child up included.
        delayed_ns: nanoseconds that the threads of the child waited for a processor in the last block that ended with
            the child stopped, altogether; 0 where Linux does not report it.
    """

    def __init__(self, module: Any) -> None:  # Any: cffi makes the module at run time
        self.busy_ns = 0
        self._ffi, self._lib = module.ffi, module.lib
        self._delayed = self._ffi.new("int64_t *")

    def block(self, control: MemoryFile, *arguments: int) -> int:
        """``qd_block``: elapsed nanoseconds, or a negative code. Releases the interpreter lock, as the others do."""
        return self._counted(self._lib.qd_block, control, (*arguments, self._delayed))

    def freeze(self, control: MemoryFile, *arguments: int) -> int:
        """``qd_freeze``: 0, or a negative code."""
        return self._counted(self._lib.qd_freeze, control, arguments)

    def thaw(self, control: MemoryFile, *arguments: int) -> int:
        """``qd_thaw``: elapsed nanoseconds, or a negative code."""
        return self._counted(self._lib.qd_thaw, control, (*arguments, self._delayed))

    @property
    def delayed_ns(self) -> int:
        """See the class."""
        return int(self._delayed[0])

    def _counted(self, call: Callable[..., int], control: MemoryFile, arguments: Iterable[Any]) -> int:
        begin = time.monotonic_ns()
        code = int(call(self._ffi.from_buffer(control.bytes), *arguments))
        self.busy_ns += time.monotonic_ns() - begin
        return code
