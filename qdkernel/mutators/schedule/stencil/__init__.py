"""The schedule template of star stencils in two and three dimensions: genome, moves, printer."""

from qdkernel.mutators.schedule.stencil.genome import Genome, repaired
from qdkernel.mutators.schedule.stencil.printer import print_stencil
from qdkernel.mutators.schedule.stencil.shape import JACOBI2D, Stencil
from qdkernel.mutators.schedule.stencil.template import StencilTemplate

__all__ = [
    "JACOBI2D",
    "Genome",
    "Stencil",
    "StencilTemplate",
    "print_stencil",
    "repaired",
]
