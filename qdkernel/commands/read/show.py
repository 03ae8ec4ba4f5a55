"""``qdkernel show``."""

from __future__ import annotations

from pathlib import Path

from qdkernel.core import parse_cell
from qdkernel.runs import RunFolder


def show(run: Path, cell: str | None) -> int:
    """Prints a run's status, or one cell's elite."""
    from qdkernel.reports import print_view, show_cell, show_run

    with RunFolder.open(run) as folder:
        print_view(show_run(folder) if cell is None else show_cell(folder, parse_cell(cell)))
    return 0
