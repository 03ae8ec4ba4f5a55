"""Stencil sweeps over regular grids."""

from qdkernel.problems.stencil.jacobi2d import JACOBI2D

__all__ = [
    "JACOBI2D",
]
