"""One writer per run folder: an exclusive lock that the operating system releases when its holder ends."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path
from typing import TextIO

from qdkernel.errors import RunFolderError


class WriterLock:
    """Holds ``run.lock`` from its construction to ``release``; the file names the holder.

    Raises:
        RunFolderError: another process holds it, or the file cannot be made or locked.
    """

    def __init__(self, path: Path) -> None:
        try:
            # through a lock that is a link, the maker of the folder could empty another file
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(path, flags, 0o666), "a+", encoding="utf-8")
        except OSError as error:
            raise RunFolderError(
                f"{path}: cannot be written ({error.strerror}); copy the run folder to where you may write"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(self._file)
            raise RunFolderError(
                f"{path.parent} is being written by {holder}; wait until it ends or stop it: a run has one writer"
            ) from error
        except OSError as error:
            self._file.close()
            raise RunFolderError(
                f"{path}: this file system cannot lock files ({error.strerror}); put the run on another one"
            ) from error
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()

    def release(self) -> None:
        """Lets the next writer in; does nothing the second time. The file stays: removing it would race."""
        if not self._file.closed:
            self._file.truncate(0)
            self._file.close()


def _holder(file: TextIO) -> str:
    with file:
        file.seek(0)
        return file.read().strip() or "another process"
