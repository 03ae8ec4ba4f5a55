"""The schedule template of matrix multiply: genome, moves, printer."""

from qdkernel.mutators.schedule.gemm.genome import Genome, Prefetch, cell_of, repaired
from qdkernel.mutators.schedule.gemm.ideas import summary
from qdkernel.mutators.schedule.gemm.printing import ELEMENT_BYTES, print_gemm
from qdkernel.mutators.schedule.gemm.template import GemmTemplate

__all__ = [
    "ELEMENT_BYTES",
    "GemmTemplate",
    "Genome",
    "Prefetch",
    "cell_of",
    "print_gemm",
    "repaired",
    "summary",
]
