"""Loop transformations of a kernel's own text, for problems without a schedule template."""

from qdkernel.mutators.schedule.loops.mutator import transformed

__all__ = ["transformed"]
