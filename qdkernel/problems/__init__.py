"""The problems that kernels solve, one folder per family, and their registry."""

from qdkernel.problems.registry import find_problem

__all__ = [
    "find_problem",
]
