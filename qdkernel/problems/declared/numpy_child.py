"""The process in which numpy references are followed: it may be late or take too much memory, and is replaced then.

One is kept for all references of a process. It waits for the next call in between, and takes no processor time while
kernels are timed.
"""

from __future__ import annotations

import ast
import contextlib
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection, Pipe

from qdkernel.errors import ConfigError, QdkernelError
from qdkernel.problems.declared.numpy_run import NumpyRun
from qdkernel.problems.declared.operators import Value
from qdkernel.problems.declared.reference import CALL_S, MEMORY_MB
from qdkernel.problems.declared.tracked_array import TrackedArray

_SPARE_S = 10  # processor time that a call may take beyond its deadline: the parent, if it lives, is earlier
_COPIES = 8  # of its parameters that a call may hold beside MEMORY_MB


class _Child:
    """The process, and the pipe to it."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._pipe, there = Pipe()
        command = [sys.executable, "-P", "-m", __name__, str(there.fileno())]  # -P: no modules of the working folder
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, env=environment, pass_fds=(there.fileno(),), start_new_session=True
        )
        there.close()
        self._pipe.recv()  # it is ready

    def call(self, function: ast.FunctionDef, file: str, names: Mapping[str, Value]) -> Value:
        """As ``call_in_child``; after an exception the process has ended."""
        try:
            self._pipe.send((function, file, names))
            if not self._pipe.poll(CALL_S):
                raise TimeoutError
            return self._pipe.recv()
        except BaseException:  # an interrupt too: the answer to this call must not be that of the next
            self._process.kill()
            self._process.wait()
            self._pipe.close()
            raise


_child: _Child | None = None
_lock = threading.Lock()


def call_in_child(function: ast.FunctionDef, file: str, names: Mapping[str, Value]) -> Value:
    """What the function returns for these values of its parameters.

    Raises:
        QdkernelError: it cannot be followed, fails, is late, or takes too much memory.
    """
    global _child
    with _lock:
        child, _child = _child, None
        if child is None or child.owner != os.getpid():
            child = _Child()
        try:
            result = child.call(function, file, names)
            _child = child
        except TimeoutError:
            raise ConfigError(
                f"{file}: expected a result within {CALL_S:g} s, the reference was still at work; mend a loop that "
                "does not end, or write loops over elements as operations on whole arrays"
            ) from None
        except (OSError, EOFError):
            raise ConfigError(
                f"{file}: expected a result, the process of the reference ended without one; it may take "
                f"{MEMORY_MB} MiB of memory beside {_COPIES} times its parameters"
            ) from None
    if isinstance(result, QdkernelError):
        raise result
    return result


def _serve(pipe: Connection) -> None:
    """Answers calls until the other end is closed."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send(None)
    while True:
        _limit(resource.RLIMIT_AS)
        function, file, names = pipe.recv()
        held = sum(value.v.nbytes + value.m.nbytes for value in names.values() if isinstance(value, TrackedArray))
        _limit(resource.RLIMIT_AS, (MEMORY_MB << 20) + _COPIES * held)
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + CALL_S) + _SPARE_S)
        try:
            result = NumpyRun(file, names).call(function)
        except QdkernelError as error:
            result = error
        pipe.send(result)


def _limit(kind: int, most: int | None = None) -> None:
    """Limits a resource, or lifts the limit as far as that is allowed."""
    hard = resource.getrlimit(kind)[1]
    allowed = hard if most is None else most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (allowed, hard))


if __name__ == "__main__":
    with contextlib.suppress(EOFError, BrokenPipeError, MemoryError):
        _serve(Connection(int(sys.argv[1])))
