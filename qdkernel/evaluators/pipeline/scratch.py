"""What the main process of a run tells its workers: a scratch folder of small files.

Known hashes, the holders of cells and the objects of elites change with every evaluation; as files that are replaced
whole, a worker reads the newest when it needs it and tasks stay small.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Cell, Kernel, KernelId

_PREFIX = "qdkernel-"


@dataclass(frozen=True)
class Incumbent:
    """The elite that a challenger of its cell must beat; ``objective`` in GFLOP/s."""

    kernel_id: KernelId
    objective: float


class SharedScratch:
    """A scratch folder; one process writes, its workers read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("known", "holders", "kernels"):
            (folder / name).mkdir(exist_ok=True)

    @classmethod
    def make(cls) -> SharedScratch:
        """A new shelf in the temporary folder; shelves that killed runs left behind are swept away."""
        _sweep(Path(tempfile.gettempdir()))
        return cls(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")))

    def remove(self) -> None:
        """Deletes the folder with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def add_known(self, code: str, kernel_id: KernelId) -> None:
        """Records that a hash of source or machine code belongs to a kernel; the first one stays."""
        if not (self.folder / "known" / code).exists():
            self._write(self.folder / "known" / code, kernel_id)

    def remove_known(self, code: str) -> None:
        """Drops a hash, e.g. of a kernel whose evaluation is no longer kept."""
        (self.folder / "known" / code).unlink(missing_ok=True)

    def known(self, code: str) -> KernelId | None:
        """The kernel with this hash."""
        try:
            return KernelId((self.folder / "known" / code).read_text())
        except FileNotFoundError:
            return None

    def set_incumbent(self, cell: Cell, kernel: Kernel, objective: float) -> None:
        """Puts a kernel into a cell."""
        before = self.incumbent(cell)
        self._write(self.folder / "kernels" / f"{kernel.id}.c", kernel.source)
        self._write(self._holder_path(cell), f"{kernel.id} {objective!r}")
        if before and before.kernel_id != kernel.id:
            self.forget(before.kernel_id)

    def remove_holder(self, cell: Cell) -> None:
        """Empties a cell."""
        before = self.incumbent(cell)
        self._holder_path(cell).unlink(missing_ok=True)
        if before:
            self.forget(before.kernel_id)

    def incumbent(self, cell: Cell) -> Incumbent | None:
        """Who holds a cell."""
        try:
            kernel_id, objective = self._holder_path(cell).read_text().split()
        except FileNotFoundError:
            return None
        return Incumbent(KernelId(kernel_id), float(objective))

    def holds(self, kernel_id: KernelId) -> bool:
        """Whether a kernel is the incumbent of a cell."""
        return (self.folder / "kernels" / f"{kernel_id}.c").exists()

    def source(self, kernel_id: KernelId) -> str:
        """The source of a holder."""
        return (self.folder / "kernels" / f"{kernel_id}.c").read_bytes().decode()  # CR LF stay, and so does the id

    def object_path(self, kernel_id: KernelId) -> Path:
        """Where the shared object of a kernel is kept."""
        return self.folder / "kernels" / f"{kernel_id}.so"

    def forget(self, kernel_id: KernelId) -> None:
        """Drops source and object of a kernel that holds no cell."""
        for suffix in (".c", ".so"):
            (self.folder / "kernels" / f"{kernel_id}{suffix}").unlink(missing_ok=True)

    def _holder_path(self, cell: Cell) -> Path:
        return self.folder / "holders" / "-".join(map(str, cell))

    def _write(self, path: Path, text: str) -> None:
        builder = path.with_name(path.name + ".new")
        builder.write_bytes(text.encode())
        builder.replace(path)


def _sweep(parent: Path) -> None:
    """Removes this user's shelves whose process is gone."""
    for folder in parent.glob(f"{_PREFIX}[0-9]*-*"):
        pid = folder.name.removeprefix(_PREFIX).split("-")[0]
        try:
            mine = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
            os.kill(int(pid), 0)
        except ProcessLookupError:
            if mine:
                shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError):
            continue
