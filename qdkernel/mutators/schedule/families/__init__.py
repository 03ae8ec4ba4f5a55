"""Schedule templates of loop nests that share their parts: tiles, vectors, sums, threads, prefetches, stores."""

from qdkernel.mutators.schedule.families.kernels import FAMILIES
from qdkernel.mutators.schedule.families.template import FamilyTemplate

__all__ = ["FAMILIES", "FamilyTemplate"]
