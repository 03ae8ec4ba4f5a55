"""The run folders inside the folder of a run on a cluster: one for each class of machine.

    runs/dgemm-20261120-1412-a1b2/machines/<class>/    a whole run folder each

So results of unlike machines never meet in one archive.
"""

from __future__ import annotations

from pathlib import Path

from qdkernel.errors import RunFolderError

_MACHINES = "machines"


def class_folder(run: Path, machine_class: str) -> Path:
    """Where the run keeps what was measured on a class of machines."""
    return run / _MACHINES / machine_class


def runs_in(path: Path) -> list[Path]:
    """The run folders that ``path`` stands for: itself, or one for each class of machine."""
    return sorted(database.parent for database in (path / _MACHINES).glob("*/run.db")) or [path]


def single_run(path: Path) -> Path:
    """The one run folder that ``path`` stands for.

    Raises:
        RunFolderError: it holds an archive for each of several classes of machine.
    """
    found = runs_in(path)
    if len(found) > 1:
        raise RunFolderError(
            f"{path} holds an archive for each of {len(found)} classes of machine; give one of them: "
            + ", ".join(map(str, found))
        )
    return found[0]
