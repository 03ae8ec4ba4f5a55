"""State that the main process of a run shares with its workers through small files in a scratch folder.

Known hashes, incumbents and the objects of elites change with every evaluation. Workers read the latest state, so tasks
stay small. Sources and objects are files that are written once. Hashes and incumbents are lines of some hundred files:
appending one takes a tenth of the time that creating a file takes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Cell, Kernel, KernelId

_PREFIX = "qdkernel-"
_LOCK = "lock"  # held as long as the folder is in use
_FRESH_S = 60  # by then a new folder has its lock


@dataclass(frozen=True)
class Incumbent:
    """The elite that a challenger of its cell must beat.

    Attributes:
        kernel_id: which kernel.
        objective: GFLOP/s.
        bound: whether that is an upper bound: a seed that was stopped at a scored size.
    """

    kernel_id: KernelId
    objective: float
    bound: bool = False


class SharedScratch:
    """A scratch folder: one process writes; its workers read, and count incumbents that were stopped in duels.

    Args:
        folder: shared by all workers.
        host_folder: objects, builds and counts of this host's workers; ``None`` when all are on one host.
    """

    def __init__(self, folder: Path, host_folder: Path | None = None) -> None:
        self.folder = folder
        self.host_folder = host_folder or folder
        self._lock_fd: int | None = None
        for name in ("known", "incumbents", "kernels"):
            (folder / name).mkdir(exist_ok=True)
        for name in ("kernels", "stopped"):
            (self.host_folder / name).mkdir(exist_ok=True)

    @classmethod
    def make(cls, parent: Path | None = None) -> SharedScratch:
        """A new scratch folder in ``parent``, by default the temporary folder.

        Those that killed runs left behind there are removed.
        """
        parent = parent or Path(tempfile.gettempdir())
        _sweep(parent)
        made = cls(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)))
        made._lock_fd = os.open(made.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(made._lock_fd, fcntl.LOCK_EX)  # workers that are forked hold it as well, until the last has ended
        return made

    def remove(self) -> None:
        """Deletes the folder with everything in it."""
        _delete(self.folder)
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def add_known(self, code: str, kernel_id: KernelId) -> None:
        """Records that a hash of source or machine code belongs to a kernel; the first one stays."""
        _append(self._known_path(code), f"{code} {kernel_id}")

    def remove_known(self, code: str) -> None:
        """Drops a hash, e.g. of a kernel whose evaluation is no longer kept."""
        path = self._known_path(code)
        left = [line for line in _lines(path) if not line.startswith(code)]
        self._write(path, "".join(f"{line}\n" for line in left))

    def known(self, code: str) -> KernelId | None:
        """The kernel with this hash."""
        lines = _lines(self._known_path(code))
        return next((KernelId(line.split()[1]) for line in lines if line.startswith(code)), None)

    def set_incumbent(self, cell: Cell, kernel: Kernel, objective: float, bound: bool = False) -> None:
        """Puts a kernel into a cell."""
        before = self.incumbent(cell)
        if not self.holds(kernel.id):
            (self.folder / "kernels" / f"{kernel.id}.c").write_bytes(kernel.source.encode())
        _append(self._incumbent_path(cell), f"{kernel.id} {objective!r} {int(bound)}")
        if before and before.kernel_id != kernel.id:
            self.forget(before.kernel_id)

    def remove_incumbent(self, cell: Cell) -> None:
        """Empties a cell."""
        before = self.incumbent(cell)
        self._incumbent_path(cell).unlink(missing_ok=True)
        if before:
            self.forget(before.kernel_id)

    def incumbent(self, cell: Cell) -> Incumbent | None:
        """The incumbent of a cell, the last that was put there."""
        lines = _lines(self._incumbent_path(cell))
        if not lines:
            return None
        kernel_id, objective, bound = lines[-1].split()
        return Incumbent(KernelId(kernel_id), float(objective), bound == "1")

    def holds(self, kernel_id: KernelId) -> bool:
        """Whether a kernel is the incumbent of a cell."""
        return (self.folder / "kernels" / f"{kernel_id}.c").exists()

    def source(self, kernel_id: KernelId) -> str:
        """The source of an incumbent."""
        return (self.folder / "kernels" / f"{kernel_id}.c").read_bytes().decode()  # CR LF stay, and so does the id

    def count_stopped(self, kernel_id: KernelId) -> int:
        """Counts a duel in which a kernel was stopped as the incumbent; returns how many there were in a row.

        Workers call it, with the cores held for a benchmark, so two never count at once.
        """
        with (self.host_folder / "stopped" / kernel_id).open("ab") as file:
            file.write(b".")
            file.flush()
            return file.tell()

    def forget_stopped(self, kernel_id: KernelId) -> None:
        """Sets the count of ``count_stopped`` back, after a duel that came to its end."""
        (self.host_folder / "stopped" / kernel_id).unlink(missing_ok=True)

    def object_path(self, kernel_id: KernelId) -> Path:
        """Where the shared object of a kernel is kept."""
        return self.host_folder / "kernels" / f"{kernel_id}.so"

    def drop_old_objects(self) -> None:
        """Drops the objects of this host whose kernels hold no cell any more."""
        for made in (self.host_folder / "kernels").glob("*.so"):
            if not self.holds(KernelId(made.stem)):
                made.unlink(missing_ok=True)

    def forget(self, kernel_id: KernelId) -> None:
        """Drops source and object of a kernel that holds no cell."""
        (self.folder / "kernels" / f"{kernel_id}.c").unlink(missing_ok=True)
        self.object_path(kernel_id).unlink(missing_ok=True)
        self.forget_stopped(kernel_id)

    def _known_path(self, code: str) -> Path:
        return self.folder / "known" / code[:2]  # some hundred files: a reader reads one

    def _incumbent_path(self, cell: Cell) -> Path:
        return self.folder / "incumbents" / "-".join(map(str, cell))

    def _write(self, path: Path, text: str) -> None:
        temporary = path.with_name(path.name + ".new")
        temporary.write_bytes(text.encode())
        temporary.replace(path)


def _append(path: Path, line: str) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(opened, f"{line}\n".encode())
    finally:
        os.close(opened)


def _lines(path: Path) -> list[str]:
    """The lines of a file that end, as the last may be under way; none of a file that does not exist."""
    try:
        return path.read_text().split("\n")[:-1]
    except FileNotFoundError:
        return []


def _sweep(parent: Path) -> None:
    """Removes this user's scratch folders that no process uses.

    A process that cannot be seen may live in another container or on another host that shares the folder, so a scratch
    folder only goes when its lock can be taken as well. One without a lock stays, unless it is empty: its removal was
    interrupted.
    """
    for folder in parent.glob(f"{_PREFIX}[0-9]*-*"):
        pid = folder.name.removeprefix(_PREFIX).split("-")[0]
        try:
            mine = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
            os.kill(int(pid), 0)
        except ProcessLookupError:
            if mine and (_unlocked(folder / _LOCK) or _is_abandoned(folder)):
                _delete(folder)
        except (OSError, ValueError):
            continue


def _delete(folder: Path) -> None:
    """Deletes a folder, its lock last, so that what an interrupted removal leaves is swept later."""
    for path in folder.glob("*"):
        if path.name != _LOCK:
            shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether it is empty, and was not made just now."""
    return not any(folder.iterdir()) and time.time() - folder.stat().st_mtime > _FRESH_S


def _unlocked(path: Path) -> bool:
    with contextlib.suppress(OSError):
        lock_fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        finally:
            os.close(lock_fd)
    return False
