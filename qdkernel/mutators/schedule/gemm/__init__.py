"""The schedule template of matrix multiply: genome, moves, printer."""

from qdkernel.mutators.schedule.gemm.genome import Genome, Prefetch, changed, repaired
from qdkernel.mutators.schedule.gemm.ideas import difference, summary
from qdkernel.mutators.schedule.gemm.moves import TuningContext, crossed, fresh, mutated, pick, setting_of, towards
from qdkernel.mutators.schedule.gemm.printer import ELEMENT_BYTES, print_gemm

__all__ = [
    "ELEMENT_BYTES",
    "Genome",
    "Prefetch",
    "TuningContext",
    "changed",
    "crossed",
    "difference",
    "fresh",
    "mutated",
    "pick",
    "print_gemm",
    "repaired",
    "setting_of",
    "summary",
    "towards",
]
