"""A run on a cluster whose worker is killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from qdkernel.runs import RunFolder, runs_in
from tests.evolving import QUICK, as_arguments
from tests.paths import CONFIGS


def settings(path: Path, *more: str) -> list[str]:
    """Arguments of ``qdkernel evolve`` for a small run at ``path``."""
    given = (*QUICK, "budget.minutes=null", f"evaluators.shared={path.parent}", *more)
    return [str(CONFIGS / "gemm.yaml"), "--out", str(path), *as_arguments(given)]


def evaluations(path: Path) -> int:
    """How many were committed so far."""
    if not (path / "run.db").exists():
        return 0
    with RunFolder.open(path) as folder:
        return folder.evaluations.count()


def evolve_and_kill(
    path: Path, find_worker: Callable[[], int], environment: Mapping[str, str], *more: str
) -> subprocess.CompletedProcess[str]:
    """A run during which a worker is killed, after a few evaluations."""
    command = [sys.executable, "-m", "qdkernel", "evolve", *settings(path, *more)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as run:
        deadline = time.monotonic() + 90
        while run.poll() is None and time.monotonic() < deadline and sum(map(evaluations, runs_in(path))) < 3:
            time.sleep(0.2)
        if run.poll() is None:
            os.kill(find_worker(), signal.SIGKILL)
        out, errors = run.communicate(timeout=120)
    return subprocess.CompletedProcess(command, run.returncode, out, errors)
