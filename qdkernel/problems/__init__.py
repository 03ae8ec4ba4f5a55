"""The problems that kernels solve, one folder per family, and their registry."""

from qdkernel.problems.formulas import Formulas, formulas_of
from qdkernel.problems.registry import PROBLEMS, find_problem, is_folder, problem_label

__all__ = [
    "PROBLEMS",
    "Formulas",
    "find_problem",
    "formulas_of",
    "is_folder",
    "problem_label",
]
