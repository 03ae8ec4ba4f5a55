"""verifiers v1 taskset in which a model writes compute kernels in C, judged by qdkernel."""

from qdkernel_verifiers.taskset import KernelTaskset

__all__ = ["KernelTaskset"]
