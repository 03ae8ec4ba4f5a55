"""``qdkernel show``."""

from __future__ import annotations

from pathlib import Path

from qdkernel.core import parse_cell, printable
from qdkernel.runs import RunFolder, runs_in


def show(run: Path, cell: str | None) -> int:
    """Prints a run's status, or one cell's elite; of a run on several classes of machine, one after the other."""
    from qdkernel.reports import print_view, show_cell, show_run

    runs = runs_in(run)
    for i, path in enumerate(runs):
        with RunFolder.open(path) as folder:
            if len(runs) > 1:
                print(f"{chr(10) * bool(i)}class     {path.name}: {printable(folder.facts.cpu)}, {path}")
            print_view(show_run(folder) if cell is None else show_cell(folder, parse_cell(cell)))
    return 0
