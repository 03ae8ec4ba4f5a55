"""Kernels judged again: a run's elites when it ends, at the scored sizes and at held-out ones; and outside of a run."""

from qdkernel.search.again.held_out import HeldOutTimings, calibrated, draw_sizes, held_out_spec
from qdkernel.search.again.remeasure import Remeasurement
from qdkernel.search.again.timing_again import longer_spec, time_again
from qdkernel.search.again.verifying_again import Verifier, open_verifier

__all__ = [
    "HeldOutTimings",
    "Remeasurement",
    "Verifier",
    "calibrated",
    "draw_sizes",
    "held_out_spec",
    "longer_spec",
    "open_verifier",
    "time_again",
]
