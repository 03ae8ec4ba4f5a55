"""``qdkernel plot``."""

from __future__ import annotations

from pathlib import Path

from qdkernel.runs import RunFolder, runs_in


def plot(run: Path, out: Path | None) -> int:
    """Writes the pictures and prints their paths; those of each class of machine into a folder of its own."""
    from qdkernel.plots import plot_run

    runs = runs_in(run)
    for path in runs:
        with RunFolder.open(path) as folder:
            for picture in plot_run(folder, out / path.name if out and len(runs) > 1 else out):
                print(picture)
    return 0
