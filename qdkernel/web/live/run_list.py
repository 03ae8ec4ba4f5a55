"""The runs of a folder with what each has reached, for the list that ``watch`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import one_line
from qdkernel.errors import RunFolderError
from qdkernel.machine import CoreLock
from qdkernel.web.reading import RunReader, commit_stamp
from qdkernel.web.view import run_view


@dataclass(frozen=True)
class RunRow:
    """A run in the list; ``error`` is the reason when it cannot be read, and then the other fields are empty."""

    name: str
    problem: str = ""
    status: str = ""
    evaluations: int = 0
    filled: int = 0
    reachable: int = 0
    best: float | None = None
    ratio: float | None = None
    minutes: float = 0.0
    begun: str = ""
    error: str = ""


_KNOWN: dict[Path, tuple[tuple[int, int], RunRow]] = {}


def run_rows(runs: Mapping[str, Path]) -> list[RunRow]:
    """A row for each run; those that have not changed are not read again."""
    found = []
    for name, path in runs.items():
        try:
            stamp = commit_stamp(path)
            if path not in _KNOWN or _KNOWN[path][0] != stamp:
                with CoreLock().shared():
                    _KNOWN[path] = stamp, _row(name, path)
            found.append(_KNOWN[path][1])
        except OSError as error:
            found.append(RunRow(one_line(name), error=one_line(str(error))))
    return found


def _row(name: str, path: Path) -> RunRow:
    try:
        run = RunReader(path).read()
    except RunFolderError as error:
        return RunRow(one_line(name), error=one_line(str(error)))
    view = run_view(run)
    ranked = view.ranked
    return RunRow(
        name=one_line(name),
        problem=view.problem,
        status=view.status,
        evaluations=view.evaluations,
        filled=len(ranked),
        reachable=view.num_reachable,
        best=ranked[0].gflops if ranked else None,
        ratio=ranked[0].ratio if ranked else None,
        minutes=view.elapsed_s / 60,
        begun=run.created_at[:16].replace("T", " "),
    )
