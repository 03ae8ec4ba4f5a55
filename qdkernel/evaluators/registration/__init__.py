"""What a problem must show before a search may trust it."""

from qdkernel.evaluators.registration.checks import Finding, check_problem

__all__ = [
    "Finding",
    "check_problem",
]
