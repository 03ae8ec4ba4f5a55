"""Recorded spaces: searches that look their kernels up instead of measuring them."""

from qdkernel.recorded.environment import RecordedSpace
from qdkernel.recorded.evaluator import RecordedEvaluator, RecordedKernel
from qdkernel.recorded.packed_dgemm import PACKED_DGEMM
from qdkernel.recorded.recording import Recording, Samples, read_t4, write_compressed
from qdkernel.recorded.space import Configuration, Space, Value
from qdkernel.recorded.template import RecordedTemplate

__all__ = [
    "PACKED_DGEMM",
    "Configuration",
    "RecordedEvaluator",
    "RecordedKernel",
    "RecordedSpace",
    "RecordedTemplate",
    "Recording",
    "Samples",
    "Space",
    "Value",
    "read_t4",
    "write_compressed",
]
