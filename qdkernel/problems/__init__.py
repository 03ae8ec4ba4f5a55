"""The problems that kernels solve, one folder per family, and their registry."""

from qdkernel.problems.registry import PROBLEMS, find_problem, is_folder, problem_label

__all__ = [
    "PROBLEMS",
    "find_problem",
    "is_folder",
    "problem_label",
]
