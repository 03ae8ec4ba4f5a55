"""General matrix multiply in double and single precision."""

from qdkernel.problems.gemm.problem import DGEMM, SGEMM

__all__ = [
    "DGEMM",
    "SGEMM",
]
