"""``qdkernel show``, ``plot`` and ``export``: looking at a run; they need neither compiler nor the run's machine."""

from __future__ import annotations

from pathlib import Path

from qdkernel.archives import parse_cell
from qdkernel.errors import unknown
from qdkernel.run_folder import RunFolder


def show(run: Path, cell: str | None) -> int:
    """Prints a run's standing, or one cell's elite."""
    from qdkernel.show import print_view, show_cell, show_run

    with RunFolder.open(run) as folder:
        print_view(show_run(folder) if cell is None else show_cell(folder, parse_cell(cell)))
    return 0


def plot(run: Path, out: Path | None) -> int:
    """Writes the pictures and prints their paths."""
    from qdkernel.plots import plot_run

    with RunFolder.open(run) as folder:
        for picture in plot_run(folder, out):
            print(picture)
    return 0


def export(run: Path, to: str, out: Path | None) -> int:
    """Writes the run in a format."""
    from qdkernel.export import FORMATS

    if to not in FORMATS:
        raise unknown("export format", to, FORMATS)
    with RunFolder.open(run) as folder:
        FORMATS[to](folder, out)
    return 0
