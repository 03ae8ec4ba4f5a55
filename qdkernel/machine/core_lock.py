"""One benchmark at a time per host: a lock shared by all processes and runs on the machine.

While a benchmark holds the cores exclusively nothing else of any run computes on them: compiling, verifying and
proposing hold them shared. A second DGEMM beside the first was measured to cut it from 51 to 18 GFLOP/s.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qdkernel.errors import QdkernelError


class CoreLock:
    """A readers-writer lock on the host's cores, held through two lock files; waiting writers go first.

    ``flock`` alone would starve a waiting benchmark while compilations overlap without a gap, so every
    process passes a gate first, which a waiting benchmark keeps shut. Locks of killed processes are released.

    Args:
        directory: where the two files live; the same for all runs on the host. Default: the temporary folder.
    """

    def __init__(self, directory: Path | None = None) -> None:
        base = directory or Path(tempfile.gettempdir())
        self._gate = base / "qdkernel-gate.lock"
        self._cores = base / "qdkernel-cores.lock"

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Holds the cores for work that may run at the same time as other such work, but not as a benchmark."""
        with _locked(self._gate, fcntl.LOCK_SH):
            cores = _lock(self._cores, fcntl.LOCK_SH)
        try:
            yield
        finally:
            os.close(cores)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the cores alone, for a benchmark."""
        with _locked(self._gate, fcntl.LOCK_EX), _locked(self._cores, fcntl.LOCK_EX):
            yield


@contextlib.contextmanager
def _locked(path: Path, mode: int) -> Iterator[None]:
    fd = _lock(path, mode)
    try:
        yield
    finally:
        os.close(fd)  # releases the lock


def _lock(path: Path, mode: int) -> int:
    # Any user of the host may take the lock. NOFOLLOW: the name must not be a link to another file.
    flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags, 0o644)
    except OSError as error:
        raise QdkernelError(
            f"the lock file {path} cannot be opened ({error.strerror}); remove it, or set TMPDIR to a folder that "
            "every run on this host can write"
        ) from error
    fcntl.flock(fd, mode)
    return fd
