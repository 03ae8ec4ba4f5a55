"""Behaviour of a kernel on the archive's axes, measured from source and object."""

from qdkernel.evaluators.behaviour.hot_loop import LEAST_ACCUMULATORS
from qdkernel.evaluators.behaviour.measure import describe, describe_run
from qdkernel.evaluators.behaviour.observed import Observed, RuntimeFacts, read_counts
from qdkernel.evaluators.behaviour.tile_loops import LEAST_TILE

__all__ = [
    "LEAST_ACCUMULATORS",
    "LEAST_TILE",
    "Observed",
    "RuntimeFacts",
    "describe",
    "describe_run",
    "read_counts",
]
