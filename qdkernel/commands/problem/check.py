"""``qdkernel problem check``: whether a search may trust a problem, check by check."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from qdkernel.core import printable
from qdkernel.evaluators.pipeline import (
    CompileSpec,
    EvaluationContext,
    EvaluationSpec,
    SharedScratch,
    TimingSpec,
)
from qdkernel.evaluators.registration import check_problem
from qdkernel.machine import flags_of, this_machine
from qdkernel.problems import find_problem

_SIZE = 32  # of calls that are timed in a run; here they are only made
_PEAK = 1e5  # beyond any machine: no speed is judged here


def check(folder: Path) -> int:
    """Prints each check of the problem in ``folder`` with what to change; exit code 0 when all pass, 1 otherwise.

    Raises:
        ConfigError: the declaration or the reference does not fit.
    """
    name = os.path.join(os.path.abspath(folder), "")
    problem = find_problem(name)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="qdkernel-check-") as scratch:
        context = EvaluationContext(_spec(name, Path(scratch)))
        try:
            for finding in check_problem(problem, context, Path(scratch)):
                print(f"{'FAILS' if finding.advice else 'ok   '} {finding.what}")
                if finding.advice:
                    failed += 1
                    print(f"      {printable(finding.advice, keep='')}")
        finally:
            context.close()
    print(f"{problem.name}: {failed} checks failed" if failed else f"{problem.name}: ready to search")
    return 1 if failed else 0


def _spec(name: str, scratch: Path) -> EvaluationSpec:
    isa = this_machine(None).isa
    SharedScratch(scratch)
    return EvaluationSpec(
        problem=name,
        scratch=str(scratch),
        compile=CompileSpec("gcc", flags_of(("-O3", "-march=native", "-fopenmp"), isa)),
        timing=TimingSpec(
            sizes=(find_problem(name).size_from_int(_SIZE),),
            threads=1,
            peak_gflops=_PEAK,
            triad_gbytes_per_s=_PEAK,
            llc_bytes=0,
        ),
        isa=isa,
    )
