"""What the workers of ``cluster.py`` do; they import it, which they cannot from a script that is run."""

from __future__ import annotations

import functools
import os
import platform
import tempfile
from dataclasses import replace
from pathlib import Path

from qdkernel.backends import Identity
from qdkernel.core import Cell, Kernel
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationContext, EvaluationSpec, verify_only
from qdkernel.search.cluster.node import NodeReport, NodeTask
from tests.fake_runs import ok

SPEC = EvaluationSpec("dgemm", "", CompileSpec("gcc", ("-O3", "-march=native", "-fopenmp")))


def identify() -> Identity:
    """All workers are of one class."""
    return Identity("all", platform.node())


def answer(task: NodeTask) -> NodeReport:
    """A made-up evaluation with samples, as large as a real one."""
    assert task.task is not None
    return NodeReport(platform.node(), (90.0,), evaluation=ok(task.task.kernel, Cell(0, 0, 0, 0), 50.0))


def verified(task: tuple[str, str]) -> bool:
    """Compiles and verifies a kernel on this worker's core."""
    folder, source = task
    context = _context(folder)
    with context.build_folder() as build:
        return verify_only(context, Kernel(source), Path(build))[0] is not None


@functools.cache
def _context(folder: str) -> EvaluationContext:
    """This worker's own, on a core that no other worker of its cluster took."""
    for core in sorted(os.sched_getaffinity(0)):
        try:
            (Path(folder) / f"{os.getppid()}-core{core}").touch(exist_ok=False)
        except FileExistsError:
            continue
        os.sched_setaffinity(0, {core})
        break
    return EvaluationContext(replace(SPEC, scratch=tempfile.mkdtemp(dir=folder)))
