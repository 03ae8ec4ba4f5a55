"""Behaviour of a kernel on the archive's axes, measured from source and object."""

from qdkernel.evaluators.behaviour.busiest_loop import executed_hot_loop
from qdkernel.evaluators.behaviour.hot_loop import LEAST_ACCUMULATORS, MachineLoop
from qdkernel.evaluators.behaviour.measure import describe, describe_run
from qdkernel.evaluators.behaviour.observed import Observed, RuntimeFacts, helped_share, read_counts
from qdkernel.evaluators.behaviour.tile_loops import LEAST_TILE
from qdkernel.evaluators.behaviour.time_split import Part, time_split

__all__ = [
    "LEAST_ACCUMULATORS",
    "LEAST_TILE",
    "MachineLoop",
    "Observed",
    "Part",
    "RuntimeFacts",
    "describe",
    "describe_run",
    "executed_hot_loop",
    "helped_share",
    "read_counts",
    "time_split",
]
