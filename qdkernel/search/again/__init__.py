"""Kernels timed again: a run's elites when it ends, at the scored sizes and at held-out ones; and outside of a run."""

from qdkernel.search.again.held_out import HeldOutTimings, calibrated, draw_sizes, held_out_spec
from qdkernel.search.again.remeasure import Remeasurement
from qdkernel.search.again.timing_again import longer_spec, time_again

__all__ = [
    "HeldOutTimings",
    "Remeasurement",
    "calibrated",
    "draw_sizes",
    "held_out_spec",
    "longer_spec",
    "time_again",
]
