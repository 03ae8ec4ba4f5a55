"""``qdkernel plot``."""

from __future__ import annotations

from pathlib import Path

from qdkernel.runs import RunFolder


def plot(run: Path, out: Path | None) -> int:
    """Writes the pictures and prints their paths."""
    from qdkernel.plots import plot_run

    with RunFolder.open(run) as folder:
        for picture in plot_run(folder, out):
            print(picture)
    return 0
