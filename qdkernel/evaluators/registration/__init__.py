"""What a problem must show before a search may trust it."""

from qdkernel.evaluators.registration.checks import Finding, check_problem
from qdkernel.evaluators.registration.wrong_results import JudgedResults, rounded

__all__ = [
    "Finding",
    "JudgedResults",
    "check_problem",
    "rounded",
]
