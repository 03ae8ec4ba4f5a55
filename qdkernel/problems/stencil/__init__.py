"""Stencil sweeps over regular grids."""

from qdkernel.problems.stencil.jacobi2d import JACOBI2D
from qdkernel.problems.stencil.stencil3d7 import STENCIL3D7

__all__ = [
    "JACOBI2D",
    "STENCIL3D7",
]
