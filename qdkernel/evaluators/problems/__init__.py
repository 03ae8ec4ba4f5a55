"""The problems qdkernel knows; a new one is a file here, its seed kernels in ``seeds/``, and a line below."""

from __future__ import annotations

from qdkernel.errors import unknown
from qdkernel.evaluators._problem import Problem
from qdkernel.evaluators.problems.gemm import DGEMM, SGEMM
from qdkernel.evaluators.problems.jacobi2d import JACOBI2D

__all__ = ["PROBLEMS", "find_problem"]

PROBLEMS: dict[str, Problem] = {
    "dgemm": DGEMM,
    "sgemm": SGEMM,
    "jacobi2d": JACOBI2D,
}


def find_problem(name: str) -> Problem:
    """The problem called ``name``.

    Raises:
        UnknownName: there is none; the message lists the known ones.
    """
    if name not in PROBLEMS:
        raise unknown("problem", name, PROBLEMS)
    return PROBLEMS[name]
