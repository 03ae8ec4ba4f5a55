"""``qdkernel report``: one run, or several side by side, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def report(runs: Sequence[Path], out: Path | None) -> int:
    """Writes the file and prints its path; default: ``report.html`` in the run, ``comparison.html`` for several."""
    from qdkernel.web import write_report

    target = out or (runs[0] / "report.html" if len(runs) == 1 else Path("comparison.html"))
    write_report(runs, target)
    print(target)
    return 0
