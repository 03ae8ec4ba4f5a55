"""The problems that kernels solve, one folder per family, and their registry."""

from qdkernel.problems.registry import PROBLEMS, find_problem

__all__ = [
    "PROBLEMS",
    "find_problem",
]
