"""Vector operations of the Level-1 BLAS."""

from qdkernel.problems.blas1.daxpy import DAXPY

__all__ = [
    "DAXPY",
]
