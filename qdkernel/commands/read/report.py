"""``qdkernel report``: one run, or several side by side, as one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qdkernel.runs import runs_in


def report(runs: Sequence[Path], out: Path | None) -> int:
    """Writes the file and prints its path; default: ``report.html`` in the run, ``comparison.html`` for several.

    The classes of machine of a run are compared like runs.
    """
    from qdkernel.web import write_report

    runs = [folder for run in runs for folder in runs_in(run)]
    target = out or (runs[0] / "report.html" if len(runs) == 1 else Path("comparison.html"))
    write_report(runs, target)
    print(target)
    return 0
