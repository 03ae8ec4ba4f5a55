"""The registry of problems; a new one is a file in a family's folder, its C in ``seeds/`` there, and a line below."""

from __future__ import annotations

from qdkernel.core import Problem
from qdkernel.errors import ConfigError, unknown
from qdkernel.problems.blas1 import DAXPY
from qdkernel.problems.gemm import DGEMM, SGEMM
from qdkernel.problems.stencil import JACOBI2D, STENCIL3D7

__all__ = ["PROBLEMS", "find_problem"]

PROBLEMS: dict[str, Problem] = {
    "dgemm": DGEMM,
    "sgemm": SGEMM,
    "jacobi2d": JACOBI2D,
    "stencil3d7": STENCIL3D7,
    "daxpy": DAXPY,
}


def find_problem(name: str, accuracy: str = "componentwise") -> Problem:
    """The problem called ``name``, judged ``componentwise`` or, where it has such a rule, ``normwise``.

    Raises:
        UnknownName: there is none; the message lists the known ones.
        ConfigError: it has no such rule.
    """
    if name not in PROBLEMS:
        raise unknown("problem", name, PROBLEMS)
    problem = PROBLEMS[name]
    if accuracy == "componentwise":
        return problem
    if accuracy != "normwise" or problem.normwise is None:
        known = "componentwise or normwise" if problem.normwise else "componentwise"
        raise ConfigError(f"accuracy: expected {known} for {name}, got {accuracy!r}")
    return problem.normwise
